import type { WorkflowExecutionInfo } from '@temporalio/client';
import { PIPELINE_WORKFLOW } from '../../plan/names.ts';
import type { RunStatus } from '../../plan/plan.ts';
import { listRuns, type RunRecord } from '../../store/runs.ts';
import { CommandError } from '../command-error.ts';
import type { Connected } from '../connection.ts';
import { printJson, printLines, table } from '../output.ts';
import { statusOf } from '../run-view.ts';
import { isRegistered, registeredTypes } from '../search-attributes.ts';
import { withServer } from './session.ts';

interface ListedRun {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly submittedAt: string;
  readonly endedAt: string | null;
}

interface ListFlags {
  readonly status?: RunStatus;
  readonly pipeline?: string;
  readonly since?: string;
  readonly limit?: string;
  readonly json?: boolean;
}

/** `retune list`: runs that the store knows, with the server's word on those that it knows. */
export async function list(flags: ListFlags): Promise<number> {
  const since = flags.since === undefined ? undefined : timeOf(flags.since, Date.now());
  const limit = limitOf(flags.limit);
  return withServer(async (connected, store) => {
    const records = await listRuns(store);
    const runs = new Map(records.map((record) => [record.id, ofRecord(record)]));
    const recordOf = new Map(records.map((record) => [record.id, record]));
    const seen = new Set<string>();
    const query = await queryOf(connected, flags, since);
    // The server lists the newest execution of an id first.
    for await (const execution of connected.client.workflow.list({ query })) {
      const { workflowId: id } = execution;
      if (seen.has(id)) continue;
      seen.add(id);
      runs.set(id, ofExecution(execution, recordOf.get(id)));
    }
    const found = [...runs.values()]
      .filter(
        ({ status, name, submittedAt }) =>
          (flags.status === undefined || status === flags.status) &&
          (flags.pipeline === undefined || name === flags.pipeline) &&
          (since === undefined || submittedAt >= since),
      )
      .sort((a, b) => b.submittedAt.localeCompare(a.submittedAt))
      .slice(0, limit);
    if (flags.json) printJson(found);
    else printRuns(found, runs.size > 0);
    return 0;
  });
}

/** What the server can leave out: of an id only the newest execution counts, so not by its end. */
async function queryOf(
  { client, namespace }: Connected,
  { status, pipeline }: ListFlags,
  since: string | undefined,
): Promise<string> {
  const terms = [`WorkflowType = '${PIPELINE_WORKFLOW}'`];
  if (status === 'running' || status === 'paused') terms.push("ExecutionStatus = 'Running'");
  if (since !== undefined) terms.push(`StartTime >= '${since}'`);
  if (pipeline !== undefined) {
    const types = await registeredTypes(client.connection.operatorService, namespace).catch(
      () => new Map<string, number>(),
    );
    // Runs from before `retune setup` have none.
    const name = pipeline.replaceAll("'", "''");
    if (isRegistered(types, 'RetunePipeline')) {
      terms.push(`(RetunePipeline = '${name}' OR RetunePipeline IS NULL)`);
    }
  }
  return terms.join(' AND ');
}

function ofRecord({ id, name, status, submittedAt, endedAt }: RunRecord): ListedRun {
  return {
    ...{ id, name, status },
    submittedAt: new Date(submittedAt).toISOString(),
    endedAt: endedAt === undefined ? null : new Date(endedAt).toISOString(),
  };
}

function ofExecution(
  { workflowId: id, runId, startTime, closeTime, status, searchAttributes }: WorkflowExecutionInfo,
  record: RunRecord | undefined,
): ListedRun {
  const told = (attribute: string): string | undefined => {
    const [value] = searchAttributes[attribute] ?? [];
    return typeof value === 'string' ? value : undefined;
  };
  const own = record?.executionRunId === runId ? record : undefined;
  // Temporal's own status knows no pause.
  const known = (told('RetuneStatus') ?? own?.status) === 'paused' ? 'paused' : 'running';
  return {
    id,
    name: own?.name ?? told('RetunePipeline') ?? record?.name ?? '',
    status: statusOf(status, known),
    submittedAt: startTime.toISOString(),
    endedAt: closeTime?.toISOString() ?? null,
  };
}

function printRuns(runs: readonly ListedRun[], isAny: boolean): void {
  if (runs.length === 0) {
    printLines([isAny ? 'no such runs' : "no runs yet: 'retune run FILE' submits one"]);
    return;
  }
  const rows = runs.map((run) => [run.id, run.name, run.status, run.submittedAt]);
  printLines(table([['id', 'pipeline', 'status', 'submitted'], ...rows]));
}

const UNIT_MS = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** A time in ISO 8601, of a time or of how long ago. @throws CommandError */
function timeOf(text: string, now: number): string {
  const [, count, unit] = /^(\d+)([mhd])$/.exec(text) ?? [];
  const ago =
    count === undefined ? undefined : Number(count) * UNIT_MS[unit as keyof typeof UNIT_MS];
  const at = ago === undefined ? (/^\d{4}-/.test(text) ? Date.parse(text) : NaN) : now - ago;
  if (Number.isFinite(at) && Math.abs(at) < 8.64e15) return new Date(at).toISOString();
  throw new CommandError(
    `--since '${text}': expected a time, such as 2026-01-31 or 2026-01-31T03:00:00Z, or how long ago, such ` +
      'as 90m, 12h or 7d',
  );
}

function limitOf(text: string | undefined): number {
  if (text === undefined) return Infinity;
  const limit = Number(text);
  if (Number.isInteger(limit) && limit >= 1) return limit;
  throw new CommandError(`--limit '${text}': expected a whole number from 1`);
}
