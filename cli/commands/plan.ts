import type { StepFile } from '../../activities/custom/step-source.ts';
import { previewRun } from '../../activities/preview/preview.ts';
import { workRoot } from '../../activities/work-folders.ts';
import { compile, formatDiagnostics } from '../../language/compile.ts';
import { fromProblem, parseOptions } from '../../language/options.ts';
import type { SubmissionOptions } from '../../plan/plan.ts';
import { Failure } from '../../plan/failures.ts';
import { openStore, storeUrlFromEnvironment } from '../../store/open.ts';
import { getRun, type RunRecord } from '../../store/runs.ts';
import type { Store } from '../../store/store.ts';
import { CommandError } from '../command-error.ts';
import { printChecked } from '../diagnostic-formats.ts';
import { printJson, printLines } from '../output.ts';
import { previewDocument, renderPreview } from '../preview-view.ts';
import { resumption } from '../resumption.ts';
import { paramsOf, readPipelineFile } from './pipeline-file.ts';
import { catalogOf } from './step-catalog.ts';

interface PlanFlags {
  readonly param?: readonly string[];
  readonly steps?: readonly StepFile[];
  readonly since?: string;
  readonly id?: string;
  readonly from?: string;
  readonly force?: boolean;
  readonly offline?: boolean;
  readonly json?: boolean;
}

/**
 * `retune plan [FILE]`: says what a run would do, from the store alone; without FILE what `retune
 * resume RUN` would. Exit code 0, 1 when the run would not begin or would fail, 2 when nothing can
 * be said.
 */
export async function plan(file: string | undefined, flags: PlanFlags): Promise<number> {
  const { json = false, offline = false } = flags;
  try {
    const catalog = await catalogOf(flags.steps);
    const store = await openStore(storeUrlFromEnvironment(process.env), { isReadOnly: true });
    const since = flags.since === undefined ? undefined : await knownRun(store, flags.since);
    const { source, id, options } = await submissionOf(file, flags, store, since);
    const { params, source_name: sourceName = 'pipeline.yaml' } = options;
    const compiled = compile({ source, sourceName, catalog, ...(params && { params }) });
    if (!compiled.ok) {
      const { diagnostics } = compiled;
      if (json) return printChecked([{ file: sourceName, diagnostics }], 'json');
      process.stderr.write(`${formatDiagnostics(diagnostics)}\n`);
      return 1;
    }
    const problem = fromProblem(options, compiled.plan);
    if (problem !== undefined) throw new CommandError(problem);
    const preview = await previewRun({
      ...{ plan: compiled.plan, store, catalog, options, isOffline: offline },
      ...{ env: process.env, workRoot: workRoot(process.env) },
      ...(id !== undefined && { id }),
      ...(since !== undefined && { since }),
      signal: new AbortController().signal,
    });
    if (json) printJson(previewDocument(preview));
    else printLines(renderPreview(preview));
    return preview.steps.some(({ outcome }) => outcome.kind === 'fail') ? 1 : 0;
  } catch (error) {
    if (!(error instanceof CommandError || error instanceof Failure)) throw error;
    const unread = { file: file ?? '', diagnostics: [], problem: error.message };
    return printChecked([unread], json ? 'json' : 'text');
  }
}

interface PlannedSubmission {
  readonly source: Uint8Array;
  /** The run's id, where it is known before it is submitted. */
  readonly id?: string | undefined;
  readonly options: SubmissionOptions;
}

/** What `retune run` would submit, or without a file what `retune resume` would. */
async function submissionOf(
  file: string | undefined,
  { param, from, force, id }: PlanFlags,
  store: Store,
  since: RunRecord | undefined,
): Promise<PlannedSubmission> {
  if (file !== undefined) {
    const { source, sourceName } = await readPipelineFile(file);
    const params = paramsOf(source, param);
    const options = {
      source_name: sourceName,
      ...(params !== undefined && { params }),
      ...(from !== undefined && { from }),
      ...(force && { force }),
    };
    return { source, id, options };
  }
  if (since === undefined) {
    throw new CommandError(
      'nothing to plan: name a pipeline FILE, or with --since RUN a run that is to be resumed',
    );
  }
  const given = Object.entries({ param, id, from, force }).find(([, value]) => value !== undefined);
  if (given !== undefined) {
    throw new CommandError(
      `--${given[0]} without FILE: a run is resumed with its own input; name the file to change it`,
    );
  }
  const { source, options } = await resumption(store, since);
  const parsed = parseOptions(options);
  if (!parsed.ok) throw new CommandError(`run '${since.id}': ${parsed.message}`);
  return { source, id: since.id, options: parsed.options };
}

async function knownRun(store: Store, id: string): Promise<RunRecord> {
  const record = await getRun(store, id);
  if (record !== undefined) return record;
  throw new CommandError(
    `no run '${id}' in the store ${store.url}: 'retune list' shows the runs there are`,
  );
}
