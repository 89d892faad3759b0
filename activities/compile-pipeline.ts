import { compile, formatDiagnostics } from '../language/compile.ts';
import { fromProblem, parseOptions, sourceProblem } from '../language/options.ts';
import { Failure } from '../plan/failures.ts';
import type { JsonObject, JsonValue } from '../plan/json.ts';
import type { SubmissionOptions } from '../plan/plan.ts';
import { emptyRunState } from '../plan/run-state.ts';
import { getRun, putRun } from '../store/runs.ts';
import type { ActivityDependencies } from './activities.ts';
import type { CompileResult, PipelineSource, RunIdentity, SubmittedOptions } from './contract.ts';
import { controlFailure } from './failures.ts';

/**
 * Compiles what was submitted, and keeps it in the store, from where `retune resume` takes it.
 *
 * @throws ApplicationFailure InvalidInput, not retryable, with every diagnostic in its message
 */
export async function compilePipeline(
  { store, catalog }: ActivityDependencies,
  source: PipelineSource,
  rawOptions: SubmittedOptions,
  run: RunIdentity,
): Promise<CompileResult> {
  try {
    const parsed = parseOptions(rawOptions);
    const { digest } = await store.putBlob(bytesOf(source));
    const before = await getRun(store, run.workflowId);
    await putRun(store, {
      id: run.workflowId,
      executionRunId: run.executionRunId,
      name: '',
      status: 'running',
      // Not before the submission that this one follows, which a worker with another clock recorded.
      submittedAt: Math.max(Date.now(), before?.submittedAt ?? 0),
      source: digest,
      options: parsed.ok ? (parsed.options as JsonObject) : asGiven(rawOptions),
      state: emptyRunState(''),
    });
    if (!parsed.ok) throw new Failure('InvalidInput', parsed.message);
    return compileSubmission(catalog, source, parsed.options);
  } catch (error) {
    throw controlFailure(error);
  }
}

/** @throws Failure InvalidInput with everything that is wrong with the pipeline, or with the options */
export function compileSubmission(
  catalog: ActivityDependencies['catalog'],
  source: PipelineSource,
  options: SubmissionOptions,
): CompileResult {
  const { params, source_name: sourceName } = options;
  const result = compile({
    source,
    catalog,
    ...(params !== undefined && { params }),
    ...(sourceName !== undefined && { sourceName }),
  });
  if (!result.ok) throw new Failure('InvalidInput', formatDiagnostics(result.diagnostics));
  const problem = fromProblem(options, result.plan) ?? sourceProblem(options, result.plan);
  if (problem !== undefined) throw new Failure('InvalidInput', problem);
  return { plan: result.plan, options };
}

/** Options that cannot be read, for a resumption to be refused as the submission was. */
function asGiven(options: SubmittedOptions): JsonValue {
  return options instanceof Uint8Array ? new TextDecoder().decode(options) : options;
}

function bytesOf(source: PipelineSource): Uint8Array {
  if (source instanceof Uint8Array) return source;
  // JSON is YAML: an object is kept as the text that gives it again.
  const text = typeof source === 'string' ? source : JSON.stringify(source, null, 2);
  return new TextEncoder().encode(text);
}
