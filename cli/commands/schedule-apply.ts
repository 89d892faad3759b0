import { ScheduleAlreadyRunning, type ScheduleDescription } from '@temporalio/client';
import type { StepFile } from '../../activities/custom/step-source.ts';
import type { Catalog } from '../../language/catalog.ts';
import { compile, draftWithPipeline, formatDiagnostics } from '../../language/compile.ts';
import type { JsonObject } from '../../plan/json.ts';
import { CommandError } from '../command-error.ts';
import type { Connected } from '../connection.ts';
import { printJson, printLines } from '../output.ts';
import {
  actualFacts,
  type Difference,
  differences,
  findSchedule,
  pipelineOf,
  type ScheduledSubmission,
  scheduleOptions,
  wantedFacts,
} from '../schedule-facts.ts';
import { paramsOf, type PipelineFile, readPipelineFile } from './pipeline-file.ts';
import { withConnection } from './session.ts';
import { catalogOf } from './step-catalog.ts';

interface ApplyFlags {
  readonly param?: readonly string[];
  readonly steps?: readonly StepFile[];
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

const CHANGES = ['create', 'update', 'delete', 'unchanged'] as const;

interface Change {
  readonly id: string;
  readonly change: (typeof CHANGES)[number];
  readonly differences: Readonly<Record<string, Difference>>;
  /** Undefined for one to delete. */
  readonly wanted?: ScheduledSubmission;
}

/**
 * `retune schedule apply FILE`: the server has exactly the schedules of the file; exit code 0.
 *
 * @throws CommandError, before anything is done, on findings and where another's schedule has the id
 */
export async function scheduleApply(file: string, flags: ApplyFlags): Promise<number> {
  const pipelineFile = await readPipelineFile(file);
  const params = paramsOf(pipelineFile.source, flags.param) ?? {};
  const { name, schedules } = readSchedules(pipelineFile, params, await catalogOf(flags.steps));
  return withConnection(async (connected) => {
    const changes = await changesFor(connected, name, schedules);
    if (!flags.json) printChanges(name, changes);
    if (!flags.dryRun) for (const change of changes) await apply(connected, change);
    if (flags.json) printJson(documentOf(name, changes, flags));
    else printLines([summary(changes, flags)]);
    return 0;
  });
}

/** The file's schedules, each with the params of its runs: those given here count before the file's. */
function readSchedules(
  { source, sourceName }: PipelineFile,
  params: JsonObject,
  catalog: Catalog,
): { readonly name: string; readonly schedules: readonly ScheduledSubmission[] } {
  const drafted = draftWithPipeline({ source, sourceName, catalog, params });
  if (!drafted.ok) throw new CommandError(formatDiagnostics(drafted.diagnostics));
  const { name, schedules } = drafted.pipeline;
  return {
    name,
    schedules: schedules.map((schedule) => {
      const values = { ...schedule.params, ...params };
      const compiled = compile({ source, sourceName, catalog, params: values });
      if (!compiled.ok) {
        const found = formatDiagnostics(compiled.diagnostics);
        throw new CommandError(`the runs of schedule '${schedule.id}' would be refused:\n${found}`);
      }
      const hasParams = Object.keys(values).length > 0;
      const options = { source_name: sourceName, ...(hasParams && { params: values }) };
      return { ...schedule, pipeline: name, source, options };
    }),
  };
}

async function changesFor(
  connected: Connected,
  name: string,
  schedules: readonly ScheduledSubmission[],
): Promise<readonly Change[]> {
  const changes: Change[] = [];
  for (const wanted of schedules) {
    const { id } = wanted;
    const found = await findSchedule(connected, id);
    if (found !== undefined && pipelineOf(found) !== name) throw notOurs(id, found);
    const different = differences(found ? actualFacts(found) : {}, wantedFacts(wanted));
    const isSame = Object.keys(different).length === 0;
    const change = found === undefined ? 'create' : isSame ? 'unchanged' : 'update';
    changes.push({ id, change, differences: different, wanted });
  }
  const ids = new Set(schedules.map(({ id }) => id));
  for (const id of await idsOf(connected, name)) {
    // The list may lag behind a deletion.
    if (ids.has(id) || (await findSchedule(connected, id)) === undefined) continue;
    changes.push({ id, change: 'delete', differences: {} });
  }
  return changes;
}

async function idsOf({ client }: Connected, name: string): Promise<readonly string[]> {
  const ids: string[] = [];
  for await (const found of client.schedule.list()) {
    if (pipelineOf(found) === name) ids.push(found.scheduleId);
  }
  return ids.sort();
}

function notOurs(id: string, found: Pick<ScheduleDescription, 'memo'>): CommandError {
  const owner = pipelineOf(found);
  const whose =
    owner === undefined
      ? "was not made by 'retune schedule apply'"
      : `belongs to the pipeline '${owner}'`;
  return new CommandError(
    `a schedule '${id}' is there already, and it ${whose}: nothing was changed; give this one ` +
      `another 'id' in the file, or delete that one: 'retune schedule delete ${id}'`,
  );
}

async function apply({ client }: Connected, { id, change, wanted }: Change): Promise<void> {
  const handle = client.schedule.getHandle(id);
  try {
    if (wanted === undefined) await handle.delete();
    else if (change === 'create') await client.schedule.create(scheduleOptions(wanted));
    else if (change === 'update') {
      const { scheduleId: _, memo: __, ...options } = scheduleOptions(wanted);
      // A paused one stays paused.
      await handle.update(({ state }) => ({ ...options, state }));
    }
  } catch (error) {
    if (error instanceof ScheduleAlreadyRunning) throw notOurs(id, {});
    if (error instanceof TypeError) {
      const message = `the Temporal server refuses the schedule '${id}': ${error.message}; change it in the file`;
      throw new CommandError(message, { cause: error });
    }
    throw error;
  }
}

function printChanges(name: string, changes: readonly Change[]): void {
  if (changes.length === 0) {
    printLines([`pipeline ${name} has no schedules, neither in its file nor on the server`]);
  }
  for (const { id, change, differences: different } of changes) {
    const why = change === 'delete' ? ' (the file does not have it)' : '';
    printLines([`schedule ${id}: ${change}${why}`]);
    for (const [key, { from, to }] of Object.entries(different)) {
      const isNew = change === 'create';
      printLines([`  ${key}: ${isNew ? (to ?? '') : `${from ?? 'none'} -> ${to ?? 'none'}`}`]);
    }
  }
}

function summary(changes: readonly Change[], { dryRun }: ApplyFlags): string {
  const counts = CHANGES.flatMap((kind) => {
    const count = changes.filter(({ change }) => change === kind).length;
    const words = kind === 'unchanged' ? kind : dryRun ? `to ${kind}` : `${kind}d`;
    return count === 0 ? [] : [`${count} ${words}`];
  });
  const all = counts.join(', ') || 'nothing to do';
  return dryRun ? `dry run, nothing was changed: ${all}` : all;
}

function documentOf(name: string, changes: readonly Change[], { dryRun = false }: ApplyFlags) {
  const schedules = changes.map(({ wanted: _, ...change }) => change);
  return { pipeline: name, dry_run: dryRun, schedules };
}
