import type { StepFile } from '../../activities/custom/step-source.ts';
import { type Catalog, kindName } from '../../language/catalog.ts';
import { compile, formatDiagnostics } from '../../language/compile.ts';
import { fromProblem } from '../../language/options.ts';
import { CommandError } from '../command-error.ts';
import { printLines } from '../output.ts';
import { requireWorkers, submit } from '../submission.ts';
import { followSubmission, type SubmissionFlags } from './follow-submission.ts';
import { newRunId, paramsOf, readPipelineFile } from './pipeline-file.ts';
import { withServer } from './session.ts';
import { catalogOf } from './step-catalog.ts';

interface RunFlags extends SubmissionFlags {
  readonly param?: readonly string[];
  readonly id?: string;
  readonly from?: string;
  readonly force?: boolean;
  readonly steps?: readonly StepFile[];
}

/** `retune run FILE`: checks the file here, submits it as the Temporal CLI would, follows it. */
export async function run(file: string, flags: RunFlags): Promise<number> {
  const { source, sourceName } = await readPipelineFile(file);
  const params = paramsOf(source, flags.param);
  const catalog = await catalogOf(flags.steps);
  const options = {
    source_name: sourceName,
    ...(params !== undefined && { params }),
    ...(flags.from !== undefined && { from: flags.from }),
    ...(flags.force && { force: true }),
    ...(flags.steps !== undefined && { step_sources: stepSources(catalog) }),
  };
  const compiled = compile({ source, sourceName, catalog, ...(params && { params }) });
  if (!compiled.ok) throw new CommandError(formatDiagnostics(compiled.diagnostics));
  const { plan } = compiled;
  const problem = fromProblem(options, plan);
  if (problem !== undefined) throw new CommandError(problem);
  const id = flags.id ?? newRunId(plan.name, file);
  if (id === '') throw new CommandError("--id is empty: give the run's id, or leave --id out");
  return withServer(async (connected, store) => {
    if (!flags.detach) await requireWorkers(connected, plan);
    await submit(connected, { id, source, options });
    if (!flags.json && !flags.detach) printLines([`submitted as '${id}'`]);
    return followSubmission(connected, store, id, flags);
  });
}

/** The digests of the code of the kinds that have code of a user's own. */
function stepSources(catalog: Catalog): Readonly<Record<string, string>> {
  const own = catalog.flatMap((step) =>
    step.source === undefined ? [] : [[kindName(step), step.source] as const],
  );
  return Object.fromEntries(own);
}
