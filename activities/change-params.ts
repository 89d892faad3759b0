import { parseOptions } from '../language/options.ts';
import { Failure } from '../plan/failures.ts';
import { changedParams, readersOf } from '../plan/param-readers.ts';
import { getRun, putRun } from '../store/runs.ts';
import type { ActivityDependencies } from './activities.ts';
import { compileSubmission } from './compile-pipeline.ts';
import type {
  ChangeParamsInput,
  ChangeParamsResult,
  PipelineSource,
  RunIdentity,
  SubmittedOptions,
} from './contract.ts';
import { controlFailure } from './failures.ts';

/**
 * Compiles a run's pipeline with other params, and keeps them for `retune resume`.
 *
 * @param rawOptions those that the run has now
 * @throws ApplicationFailure InvalidInput, not retryable, with every diagnostic in its message
 */
export async function changeParams(
  { store, catalog }: ActivityDependencies,
  source: PipelineSource,
  rawOptions: SubmittedOptions,
  run: RunIdentity,
  { params, before }: ChangeParamsInput,
): Promise<ChangeParamsResult> {
  try {
    const parsed = parseOptions(rawOptions);
    if (!parsed.ok) throw new Failure('InvalidInput', parsed.message);
    const options = { ...parsed.options, params: { ...parsed.options.params, ...params } };
    const compiled = compileSubmission(catalog, source, options);
    const record = await getRun(store, run.workflowId);
    if (record?.executionRunId === run.executionRunId) {
      await putRun(store, { ...record, options: { ...options } });
    }
    const changed = changedParams(before, compiled.plan.params);
    return { ...compiled, changed, readers: readersOf(compiled.plan, changed) };
  } catch (error) {
    throw controlFailure(error);
  }
}
