import type { JsonObject } from '../../plan/json.ts';
import { CONTROL_QUEUE, PIPELINE_WORKFLOW } from '../../plan/names.ts';
import { cronProblem } from '../cron.ts';
import { DEFAULT_SCHEDULE, MIN_CATCHUP_WINDOW_MS } from '../defaults.ts';
import { keysOfPart, ON, OVERLAPS, SCHEDULE } from '../grammar.ts';
import type { Located, LocatedEntry, LocatedMap } from '../located.ts';
import { describeFound, mapToJson, quote, toJson, valueRange } from '../located.ts';
import { paramProblem } from '../params.ts';
import type { Patterns } from '../pattern.ts';
import type { Overlap, Schedule } from '../pipeline.ts';
import type { Reporter } from '../reporter.ts';
import { STDIN_NAME } from '../source.ts';
import type { Range } from '../source-text.ts';
import { suggestion } from '../suggestion.ts';
import { isTimezone, nearestTimezone } from '../timezones.ts';
import { formatDuration, readDuration } from './duration.ts';
import { checkNoExpressions } from './expression.ts';
import { isExpression } from './matrix.ts';
import { checkMissingKeys } from './missing-key.ts';
import { nameProblem } from './name.ts';
import { type LocatedParam, unknownParam } from './param-value.ts';
import { checkUnknownKeys } from './unknown-key.ts';
import { readBoolean, readList, readMap, readText } from './value-type.ts';

const SNIPPET = "cron: '0 3 * * 1'";
/** Temporal's words for ours. */
const OVERLAP_POLICIES = {
  skip: 'Skip',
  buffer_one: 'BufferOne',
  cancel_other: 'CancelOther',
  allow: 'AllowAll',
} as const satisfies Record<Overlap, string>;

interface ScheduledPipeline {
  readonly name: string;
  readonly params: ReadonlyMap<string, LocatedParam>;
  readonly patterns: Patterns;
}

/**
 * Rule `schedule`: reads `on: { schedule: [...] }`, and hints at the command that applies it, for a
 * submission runs once.
 *
 * @returns the schedules in which nothing is wrong
 */
export function readSchedules(
  entry: LocatedEntry | undefined,
  pipeline: ScheduledPipeline,
  reporter: Reporter,
): readonly Schedule[] {
  const on = readMap(entry, `a map such as schedule: [{ ${SNIPPET} }]`, reporter);
  if (on === undefined) return [];
  checkUnknownKeys(on, keysOfPart(ON), "'on'", reporter);
  checkNoExpressions(on.entries.get('schedule'), reporter);
  const list = readList(on.entries.get('schedule'), `a list such as [{ ${SNIPPET} }]`, reporter);
  const taken = new Map<string, Range>();
  return (list?.items ?? []).flatMap((item, index) => {
    const fallback = index === 0 ? pipeline.name : `${pipeline.name}-${index + 1}`;
    const schedule = readSchedule(item, fallback, { pipeline, taken, reporter });
    return schedule === undefined ? [] : [schedule];
  });
}

interface Reading {
  readonly pipeline: ScheduledPipeline;
  /** Where an id was given first. */
  readonly taken: Map<string, Range>;
  readonly reporter: Reporter;
}

function readSchedule(item: Located, fallback: string, reading: Reading): Schedule | undefined {
  const { pipeline, reporter } = reading;
  if (item.kind !== 'map') {
    const message = `a schedule is ${describeFound(toJson(item))}; expected a map such as { ${SNIPPET} }`;
    reporter.error('value-type', item.range, message);
    return undefined;
  }
  const before = reporter.errorCount;
  checkUnknownKeys(item, keysOfPart(SCHEDULE), 'a schedule', reporter);
  checkMissingKeys(item, { cron: SNIPPET }, 'a schedule', item.range, reporter);
  const { entries } = item;
  const cron = readCron(item, reporter);
  const timezone = readTimezone(item, reporter) ?? DEFAULT_SCHEDULE.timezone;
  const overlap = readOverlap(item, reporter) ?? DEFAULT_SCHEDULE.overlap;
  const catchupWindow = entries.get('catchup_window');
  const catchupWindowMs = readDuration(catchupWindow, MIN_CATCHUP_WINDOW_MS, reporter);
  const jitterMs = readDuration(entries.get('jitter'), 0, reporter);
  const pauseOnFailure = readBoolean(entries.get('pause_on_failure'), reporter);
  const params = readScheduleParams(entries.get('params'), pipeline, reporter);
  const id = readId(item, fallback, reading);
  if (cron === undefined || reporter.errorCount > before) return undefined;
  const schedule = {
    ...{ id, cron, timezone, overlap, params },
    catchupWindowMs: catchupWindowMs ?? DEFAULT_SCHEDULE.catchupWindowMs,
    jitterMs: jitterMs ?? DEFAULT_SCHEDULE.jitterMs,
    pauseOnFailure: pauseOnFailure ?? DEFAULT_SCHEDULE.pauseOnFailure,
  };
  const cronEntry = entries.get('cron');
  const range = cronEntry === undefined ? item.range : valueRange(cronEntry);
  reporter.hint('schedule', range, howToCreate(schedule, reporter));
  return schedule;
}

function howToCreate(schedule: Schedule, reporter: Reporter): string {
  const { id, cron, timezone, overlap, catchupWindowMs, jitterMs, pauseOnFailure } = schedule;
  const isStdin = reporter.source.file === STDIN_NAME;
  const file = isStdin ? 'FILE' : shellWord(reporter.source.file);
  const saved = isStdin ? 'save this text as FILE; ' : '';
  const apply = `a submission runs once; ${saved}'retune schedule apply ${file}' makes the schedule ${quote(id)}`;
  // Params travel in a second file.
  if (Object.keys(schedule.params).length > 0) return apply;
  const flags = [
    `--schedule-id ${id}`,
    `--cron '${cron}'`,
    ...(timezone === DEFAULT_SCHEDULE.timezone ? [] : [`--time-zone ${timezone}`]),
    ...(overlap === DEFAULT_SCHEDULE.overlap
      ? []
      : [`--overlap-policy ${OVERLAP_POLICIES[overlap]}`]),
    `--catchup-window ${formatDuration(catchupWindowMs)}`,
    ...(jitterMs === 0 ? [] : [`--jitter ${formatDuration(jitterMs)}`]),
    ...(pauseOnFailure ? ['--pause-on-failure'] : []),
    `--workflow-id ${id} --type ${PIPELINE_WORKFLOW} --task-queue ${CONTROL_QUEUE}`,
    `--input-file ${file} --input-meta encoding=binary/plain`,
  ];
  return `${apply}; without retune it is created with: temporal schedule create ${flags.join(' ')}`;
}

function shellWord(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

function readCron({ entries }: LocatedMap, reporter: Reporter): string | undefined {
  const entry = entries.get('cron');
  const text = readText(entry, reporter);
  if (entry === undefined || text === undefined) return undefined;
  const problem = cronProblem(text);
  if (problem === undefined) return text.trim();
  reporter.error('schedule', valueRange(entry), `'cron' is ${quote(text)}; ${problem}`);
  return undefined;
}

function readTimezone({ entries }: LocatedMap, reporter: Reporter): string | undefined {
  const entry = entries.get('timezone');
  const text = readText(entry, reporter);
  if (entry === undefined || text === undefined) return undefined;
  if (isTimezone(text)) return text;
  const near = nearestTimezone(text);
  const remedy =
    near === undefined ? 'expected a name such as Europe/Paris' : `did you mean ${quote(near)}?`;
  reporter.error('schedule', valueRange(entry), `unknown timezone ${quote(text)}; ${remedy}`);
  return undefined;
}

function readOverlap({ entries }: LocatedMap, reporter: Reporter): Overlap | undefined {
  const entry = entries.get('overlap');
  const text = readText(entry, reporter);
  if (entry === undefined || text === undefined) return undefined;
  const overlap = OVERLAPS.find((known) => known === text);
  if (overlap !== undefined) return overlap;
  const message = `'overlap' is ${quote(text)}; ${suggestion(text, OVERLAPS)}`;
  reporter.error('schedule', valueRange(entry), message);
  return undefined;
}

/** Values for the file's params, checked as a submission's are. */
function readScheduleParams(
  entry: LocatedEntry | undefined,
  { params, patterns }: ScheduledPipeline,
  reporter: Reporter,
): JsonObject {
  const map = readMap(entry, 'a map of params, such as { rows: 500 }', reporter);
  if (map === undefined) return {};
  for (const given of map.entries.values()) {
    const param = params.get(given.key);
    if (param === undefined) {
      reporter.error('schedule', given.keyRange, unknownParam(given.key, params));
      continue;
    }
    if (param.declaration === undefined || isExpression(given.value)) continue;
    const problem = paramProblem(param.declaration, toJson(given.value), patterns);
    if (problem === undefined) continue;
    reporter.error('schedule', valueRange(given), `param ${quote(given.key)} is ${problem}`);
  }
  return mapToJson(map);
}

function readId(item: LocatedMap, fallback: string, { taken, reporter }: Reading): string {
  const entry = item.entries.get('id');
  const id = entry === undefined ? fallback : readText(entry, reporter);
  if (id === undefined) return fallback;
  const range = entry === undefined ? item.range : valueRange(entry);
  const problem = entry === undefined ? undefined : nameProblem(id, 'pipeline');
  const other = taken.get(id);
  if (problem !== undefined) {
    reporter.error('schedule', range, `'id' is ${quote(id)}; ${problem}`);
  } else if (other === undefined) taken.set(id, range);
  else {
    const line = reporter.source.lineOf(other.start);
    const found =
      entry === undefined ? `the schedule's id is ${quote(id)}` : `'id' is ${quote(id)}`;
    const remedy = entry === undefined ? "name it by the key 'id'" : 'choose another';
    const message = `${found}, as that of the schedule in line ${line}; ${remedy}`;
    reporter.error('schedule', range, message);
  }
  return id;
}
