import { createHash } from 'node:crypto';
import {
  type ScheduleDescription,
  ScheduleNotFoundError,
  type ScheduleOptions,
  type ScheduleSpec,
} from '@temporalio/client';
import type { Connected } from './connection.ts';
import { formatDuration } from '../language/checks/duration.ts';
import { EVERY, everyMs } from '../language/cron.ts';
import { DEFAULT_SCHEDULE } from '../language/defaults.ts';
import type { Overlap, Schedule } from '../language/pipeline.ts';
import { CONTROL_QUEUE, PIPELINE_WORKFLOW } from '../plan/names.ts';
import type { SubmissionOptions } from '../plan/plan.ts';

/** Key of the memo whose value is the pipeline that a schedule belongs to. */
const MEMO_KEY = 'retune';

const OVERLAP_POLICIES = {
  skip: 'SKIP',
  buffer_one: 'BUFFER_ONE',
  cancel_other: 'CANCEL_OTHER',
  allow: 'ALLOW_ALL',
} as const satisfies Record<Overlap, ScheduleDescription['policies']['overlap']>;

const SHOWN_DIGITS = 12;

/** A schedule of a file, with what its runs are given. */
export interface ScheduledSubmission extends Schedule {
  readonly pipeline: string;
  readonly source: Uint8Array;
  /** @see SubmissionOptions */
  readonly options: Pick<SubmissionOptions, 'params' | 'source_name'>;
}

/** What makes a schedule what it is, as a person reads it; two with equal facts do the same. */
export type ScheduleFacts = Readonly<Record<string, string>>;

/** The schedule of an id as it is on the server; undefined when there is none. */
export async function findSchedule(
  { client }: Connected,
  id: string,
): Promise<ScheduleDescription | undefined> {
  try {
    return await client.schedule.getHandle(id).describe();
  } catch (error) {
    if (error instanceof ScheduleNotFoundError) return undefined;
    throw error;
  }
}

/** The pipeline that `schedule apply` made a schedule for; undefined for one that something else made. */
export function pipelineOf({ memo }: Pick<ScheduleDescription, 'memo'>): string | undefined {
  const pipeline = memo?.[MEMO_KEY];
  return typeof pipeline === 'string' ? pipeline : undefined;
}

/** What the server is told: a run is started as a submission is, by the same two arguments. */
export function scheduleOptions(schedule: ScheduledSubmission): ScheduleOptions {
  const { id, pipeline, source, options } = schedule;
  return {
    scheduleId: id,
    spec: specOf(schedule),
    action: {
      type: 'startWorkflow',
      workflowType: PIPELINE_WORKFLOW,
      taskQueue: CONTROL_QUEUE,
      workflowId: id,
      args: [source, options],
    },
    policies: {
      overlap: OVERLAP_POLICIES[schedule.overlap],
      catchupWindow: schedule.catchupWindowMs,
      pauseOnFailure: schedule.pauseOnFailure,
    },
    memo: { [MEMO_KEY]: pipeline },
  };
}

/** The server keeps times, and of a cron text only the comment in it: so the text is its own comment. */
function specOf({ cron, timezone, jitterMs }: Schedule): ScheduleSpec {
  const every = everyMs(cron);
  return {
    ...(every === undefined
      ? { cronExpressions: [`${cron} # ${cron}`] }
      : { intervals: [{ every }] }),
    timezone,
    jitter: jitterMs,
  };
}

export function wantedFacts(schedule: ScheduledSubmission): ScheduleFacts {
  const { cron, timezone, overlap, catchupWindowMs, jitterMs, pauseOnFailure } = schedule;
  const every = everyMs(cron);
  return {
    cron: every === undefined ? cron : EVERY + formatDuration(every),
    timezone,
    overlap,
    catchup_window: formatDuration(catchupWindowMs),
    jitter: formatDuration(jitterMs),
    pause_on_failure: String(pauseOnFailure),
    ...startFacts(PIPELINE_WORKFLOW, CONTROL_QUEUE, schedule.id),
    ...argumentFacts([schedule.source, schedule.options]),
  };
}

export function actualFacts({ spec, policies, action }: ScheduleDescription): ScheduleFacts {
  return {
    cron: cronOf(spec),
    timezone: spec.timezone || DEFAULT_SCHEDULE.timezone,
    overlap: overlapOf(policies.overlap),
    catchup_window: formatDuration(policies.catchupWindow),
    jitter: formatDuration(spec.jitter ?? 0),
    pause_on_failure: String(policies.pauseOnFailure),
    ...startFacts(action.workflowType, action.taskQueue, action.workflowId ?? ''),
    ...argumentFacts(action.args ?? []),
  };
}

/** The cron text of a schedule, or what can be said of times that were not written as one. */
export function cronOf(spec: ScheduleDescription['spec']): string {
  const { calendars = [], intervals = [], skip = [], startAt, endAt } = spec;
  const [calendar] = calendars;
  const [interval] = intervals;
  const isPlain = calendars.length + intervals.length === 1 && skip.length === 0;
  if (!isPlain || startAt !== undefined || endAt !== undefined) return '(times of its own)';
  if (interval !== undefined) {
    const { every, offset } = interval;
    return offset > 0 ? '(an interval with an offset)' : EVERY + formatDuration(every);
  }
  return calendar?.comment || '(a calendar)';
}

export function overlapOf(policy: ScheduleDescription['policies']['overlap']): string {
  const known = Object.entries(OVERLAP_POLICIES).find(([, value]) => value === policy);
  return known?.[0] ?? String(policy).toLowerCase();
}

function startFacts(workflow: string, queue: string, id: string): ScheduleFacts {
  return { workflow, queue, workflow_id: id };
}

function argumentFacts(args: readonly unknown[]): ScheduleFacts {
  const [source, given = {}, ...rest] = args;
  const { params = {}, ...others } = given as SubmissionOptions;
  return {
    ...named('params.', params),
    ...named('', others),
    pipeline: source instanceof Uint8Array ? describeText(source) : JSON.stringify(source ?? null),
    ...(rest.length > 0 && { more_arguments: JSON.stringify(rest) }),
  };
}

function named(prefix: string, values: object): ScheduleFacts {
  const entries = Object.entries(values).map(([key, value]: [string, unknown]) => [
    prefix + key,
    typeof value === 'string' && prefix === '' ? value : JSON.stringify(value),
  ]);
  return Object.fromEntries(entries) as ScheduleFacts;
}

/** A file in one line: its size, and enough of its digest to tell two apart. */
function describeText(source: Uint8Array): string {
  const digest = createHash('sha256').update(source).digest('hex').slice(0, SHOWN_DIGITS);
  const lines = new TextDecoder().decode(source).trimEnd().split('\n').length;
  return `${lines} lines, sha256:${digest}`;
}

export interface Difference {
  readonly from: string | null;
  readonly to: string | null;
}

/** What differs, by name: each with what it is on the server and what it is in the file. */
export function differences(
  from: ScheduleFacts,
  to: ScheduleFacts,
): Readonly<Record<string, Difference>> {
  const names = [...new Set([...Object.keys(to), ...Object.keys(from)])];
  return Object.fromEntries(
    names
      .filter((name) => from[name] !== to[name])
      .map((name) => [name, { from: from[name] ?? null, to: to[name] ?? null }]),
  );
}
