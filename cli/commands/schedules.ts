import { setTimeout as sleep } from 'node:timers/promises';
import {
  type ScheduleDescription,
  type ScheduleHandle,
  WorkflowNotFoundError,
} from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';
import { DEFAULT_SCHEDULE } from '../../language/defaults.ts';
import type { JsonObject } from '../../plan/json.ts';
import { PIPELINE_WORKFLOW } from '../../plan/names.ts';
import type { Store } from '../../store/store.ts';
import { CommandError } from '../command-error.ts';
import type { Connected } from '../connection.ts';
import { printJson, printLines, table } from '../output.ts';
import { statusOf, viewRun } from '../run-view.ts';
import { cronOf, findSchedule, overlapOf, pipelineOf } from '../schedule-facts.ts';
import { withConnection, withServer } from './session.ts';

interface JsonFlag {
  readonly json?: boolean;
}

/** A triggered run that nothing holds up starts within this time. */
const TRIGGER_MS = 10_000;
const POLL_MS = 100;
/** A schedule holds no more runs that wait for the one before. */
const MAX_BACKFILL = 1000;

/** `retune schedule list`: the schedules that start pipelines, whoever made them. */
export async function scheduleList({ json }: JsonFlag): Promise<number> {
  return withServer(async (connected, store) => {
    const listed: ListedSchedule[] = [];
    for await (const { scheduleId, action } of connected.client.schedule.list()) {
      if (action?.workflowType !== PIPELINE_WORKFLOW) continue;
      const found = await findSchedule(connected, scheduleId);
      if (found !== undefined) listed.push(await listedSchedule(connected, store, found));
    }
    listed.sort((a, b) => a.id.localeCompare(b.id));
    if (json) printJson(listed);
    else if (listed.length === 0) {
      printLines(["no schedules yet: 'retune schedule apply FILE' makes those of a file"]);
    } else printLines(table([HEADER, ...listed.map(rowOf)]));
    return 0;
  });
}

interface ListedSchedule {
  readonly id: string;
  /** Null where `schedule apply` did not make it. */
  readonly pipeline: string | null;
  readonly cron: string;
  readonly timezone: string;
  readonly overlap: string;
  readonly paused: boolean;
  readonly note: string | null;
  /** Null while it is paused. */
  readonly next: string | null;
  readonly last: { readonly id: string; readonly status: string } | null;
  /** A run that is paused, and keeps the schedule from starting another one. */
  readonly waits_for: string | null;
}

async function listedSchedule(
  connected: Connected,
  store: Store,
  found: ScheduleDescription,
): Promise<ListedSchedule> {
  const { scheduleId: id, spec, policies, state, info } = found;
  const newest = info.recentActions.at(-1)?.action.workflow;
  const last = newest === undefined ? null : await lastRun(connected, store, newest.workflowId);
  const overlap = overlapOf(policies.overlap);
  const isBlocked = last?.status === 'paused' && BLOCKED_BY_PAUSES.includes(overlap);
  return {
    id,
    pipeline: pipelineOf(found) ?? null,
    cron: cronOf(spec),
    timezone: spec.timezone || DEFAULT_SCHEDULE.timezone,
    overlap,
    paused: state.paused,
    note: state.note || null,
    next: state.paused ? null : nextOf(found),
    last,
    waits_for: isBlocked ? last.id : null,
  };
}

/** Policies by which a run that is open keeps the next from starting. */
const BLOCKED_BY_PAUSES: readonly string[] = ['skip', 'buffer_one'];

async function lastRun(
  connected: Connected,
  store: Store,
  id: string,
): Promise<ListedSchedule['last']> {
  try {
    const { status } = await connected.client.workflow.getHandle(id).describe();
    if (status.name !== 'RUNNING') return { id, status: statusOf(status) };
    return { id, status: (await viewRun(connected, store, id)).state.status };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return { id, status: 'forgotten' };
    throw error;
  }
}

const HEADER = ['id', 'pipeline', 'cron', 'timezone', 'overlap', 'next', 'last run'];

function rowOf(schedule: ListedSchedule): readonly string[] {
  const { id, pipeline, cron, timezone, overlap, paused, note, next, last } = schedule;
  const { waits_for: open } = schedule;
  const start = open === null ? (next ?? '-') : `none while '${open}' is paused`;
  const pause = note === null ? 'paused' : `paused: ${note}`;
  return [
    ...[id, pipeline ?? '-', cron, timezone, overlap],
    paused ? pause : start,
    last === null ? '-' : `${last.id} (${last.status})`,
  ];
}

function nextOf({ info }: ScheduleDescription): string | null {
  return info.nextActionTimes[0]?.toISOString() ?? null;
}

/** `retune schedule trigger ID`: a run now, as the schedule's `overlap` allows. */
export async function scheduleTrigger(id: string, { json }: JsonFlag): Promise<number> {
  return withSchedule(id, async (handle, found) => {
    await handle.trigger(found.policies.overlap);
    const run = await startedRun(handle, found);
    if (json) printJson({ id, run: run ?? null });
    else if (run === undefined) {
      printLines([`schedule ${id}: triggered; its run starts when the one before has ended`]);
    } else printLines([`schedule ${id}: run ${run} started; 'retune show ${run}' shows it`]);
    return 0;
  });
}

/** @returns the id of the run that a trigger started; undefined while it waits for another */
async function startedRun(
  handle: ScheduleHandle,
  { info: before, policies }: ScheduleDescription,
): Promise<string | undefined> {
  const deadline = Date.now() + TRIGGER_MS;
  while (Date.now() < deadline) {
    const { info } = await handle.describe();
    const [running] = info.runningActions;
    if (info.numActionsTaken > before.numActionsTaken) {
      return info.recentActions.at(-1)?.action.workflow.workflowId;
    }
    if (info.numActionsSkippedOverlap > before.numActionsSkippedOverlap) {
      const run = running?.workflow.workflowId ?? 'the run before';
      throw new CommandError(
        `schedule '${handle.scheduleId}' started nothing: '${run}' still goes on, and overlap is ` +
          `${overlapOf(policies.overlap)}; wait for it, or stop it with 'retune cancel ${run}'`,
      );
    }
    await sleep(POLL_MS);
  }
  return undefined;
}

/** `retune schedule pause ID`: no run starts by itself until it is resumed. */
export async function schedulePause(
  id: string,
  { note, json }: JsonFlag & { readonly note?: string },
): Promise<number> {
  return withSchedule(id, async (handle) => {
    await handle.pause(note ?? 'by retune schedule pause');
    report(id, json, `paused; 'retune schedule resume ${id}' ends that`, { paused: true });
    return 0;
  });
}

/** `retune schedule resume ID` */
export async function scheduleResume(id: string, { json }: JsonFlag): Promise<number> {
  return withSchedule(id, async (handle) => {
    await handle.unpause('by retune schedule resume');
    const next = nextOf(await handle.describe());
    report(id, json, `resumed; next run ${next ?? 'never'}`, { paused: false, next });
    return 0;
  });
}

interface BackfillFlags extends JsonFlag {
  readonly from: string;
  readonly to: string;
}

/** `retune schedule backfill ID`: a run for each time of the schedule in a past interval, one after another. */
export async function scheduleBackfill(
  id: string,
  { from, to, json }: BackfillFlags,
): Promise<number> {
  const [start, end] = [timeOf('--from', from), timeOf('--to', to)];
  if (start >= end) throw new CommandError(`--from ${from} is not before --to ${to}`);
  if (end.getTime() > Date.now()) {
    throw new CommandError(`--to ${to} is not past: a backfill is of times that were missed`);
  }
  return withSchedule(id, async (handle, _, connected) => {
    const count = await timesBetween(connected, id, start, end);
    if (count === 0) {
      throw new CommandError(`schedule '${id}' has no time from ${from} to ${to}: nothing to run`);
    }
    if (count >= MAX_BACKFILL) {
      throw new CommandError(
        `schedule '${id}' has ${MAX_BACKFILL} times or more from ${from} to ${to}; ask for fewer at once`,
      );
    }
    await handle.backfill({ start, end, overlap: 'BUFFER_ALL' });
    const runs = count === 1 ? '1 run' : `${count} runs, one after another`;
    report(id, json, `${runs}; 'retune list' shows them`, { runs: count });
    return 0;
  });
}

function timeOf(flag: string, text: string): Date {
  const time = new Date(text);
  if (/^\d{4}-\d\d-\d\d/.test(text) && !Number.isNaN(time.getTime())) return time;
  throw new CommandError(`${flag} ${text}: expected a time such as 2026-01-31T03:00:00Z`);
}

/** How many times of a schedule lie in an interval; the server counts to 1000. */
async function timesBetween(
  { client, namespace }: Connected,
  scheduleId: string,
  start: Date,
  end: Date,
): Promise<number> {
  const { startTime } = await client.workflowService.listScheduleMatchingTimes({
    namespace,
    scheduleId,
    startTime: msToTs(start.getTime()),
    endTime: msToTs(end.getTime()),
  });
  return startTime.length;
}

/** `retune schedule delete ID`: what it has started goes on. */
export async function scheduleDelete(id: string, { json }: JsonFlag): Promise<number> {
  return withSchedule(id, async (handle) => {
    await handle.delete();
    report(id, json, 'deleted; its runs stay as they are', { deleted: true });
    return 0;
  });
}

function report(id: string, json: boolean | undefined, done: string, document: JsonObject): void {
  if (json) printJson({ id, ...document });
  else printLines([`schedule ${id}: ${done}`]);
}

/** @throws CommandError when there is no such schedule, or it starts no pipelines */
async function withSchedule(
  id: string,
  use: (
    handle: ScheduleHandle,
    found: ScheduleDescription,
    connected: Connected,
  ) => Promise<number>,
): Promise<number> {
  return withConnection(async (connected) => {
    const found = await findSchedule(connected, id);
    if (found === undefined) {
      const message = `no schedule '${id}': 'retune schedule list' shows the schedules there are`;
      throw new CommandError(message);
    }
    const { workflowType } = found.action;
    if (workflowType !== PIPELINE_WORKFLOW) {
      const message = `schedule '${id}' starts '${workflowType}', no pipeline: use 'temporal schedule' for it`;
      throw new CommandError(message);
    }
    return use(connected.client.schedule.getHandle(id), found, connected);
  });
}
