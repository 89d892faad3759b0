import { CONTROL_QUEUE, PIPELINE_WORKFLOW } from '../../plan/names.ts';
import { keysOfPart, ON, OVERLAPS, SCHEDULE } from '../grammar.ts';
import type { Located, LocatedEntry, LocatedMap } from '../located.ts';
import { describeFound, quote, toJson, valueRange } from '../located.ts';
import type { Reporter } from '../reporter.ts';
import { STDIN_NAME } from '../source.ts';
import { suggestion } from '../suggestion.ts';
import { isTimezone, nearestTimezone } from '../timezones.ts';
import { parseDuration } from './duration.ts';
import { checkMissingKeys } from './missing-key.ts';
import { checkUnknownKeys } from './unknown-key.ts';
import { readList, readMap, readText } from './value-type.ts';

const SNIPPET = "cron: '0 3 * * 1'";
/** Temporal's words for ours. */
const OVERLAP_POLICIES = {
  skip: 'Skip',
  buffer_one: 'BufferOne',
  cancel_other: 'CancelOther',
  allow: 'AllowAll',
} as const satisfies Record<(typeof OVERLAPS)[number], string>;

/**
 * Rule `schedule`: checks `on: { schedule: [...] }`, and hints at the command that applies it,
 * for a submission runs once.
 */
export function checkSchedules(
  entry: LocatedEntry | undefined,
  pipelineName: string,
  reporter: Reporter,
): void {
  const on = readMap(entry, `a map such as schedule: [{ ${SNIPPET} }]`, reporter);
  if (on === undefined) return;
  checkUnknownKeys(on, keysOfPart(ON), "'on'", reporter);
  const list = readList(on.entries.get('schedule'), `a list such as [{ ${SNIPPET} }]`, reporter);
  for (const item of list?.items ?? []) checkSchedule(item, pipelineName, reporter);
}

function checkSchedule(item: Located, pipelineName: string, reporter: Reporter): void {
  if (item.kind !== 'map') {
    const message = `a schedule is ${describeFound(toJson(item))}; expected a map such as { ${SNIPPET} }`;
    reporter.error('value-type', item.range, message);
    return;
  }
  checkUnknownKeys(item, keysOfPart(SCHEDULE), 'a schedule', reporter);
  checkMissingKeys(item, { cron: SNIPPET }, 'a schedule', item.range, reporter);
  const cron = readCron(item, reporter);
  const timezone = readTimezone(item, reporter);
  const overlap = readOverlap(item, reporter);
  if (cron === undefined) return;
  const isStdin = reporter.source.file === STDIN_NAME;
  const file = isStdin ? 'FILE' : shellWord(reporter.source.file);
  const flags = [
    `--schedule-id ${pipelineName}`,
    `--cron '${cron}'`,
    ...(timezone === undefined ? [] : [`--time-zone ${timezone}`]),
    ...(overlap === undefined ? [] : [`--overlap-policy ${overlap}`]),
    `--workflow-id ${pipelineName} --type ${PIPELINE_WORKFLOW} --task-queue ${CONTROL_QUEUE}`,
    `--input-file ${file} --input-meta encoding=binary/plain`,
  ];
  const saved = isStdin ? 'save this text as FILE; ' : '';
  const message = `a submission runs once; ${saved}the schedule is created with: temporal schedule create ${flags.join(' ')}`;
  const cronEntry = item.entries.get('cron');
  reporter.hint('schedule', cronEntry === undefined ? item.range : valueRange(cronEntry), message);
}

function shellWord(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

function readCron({ entries }: LocatedMap, reporter: Reporter): string | undefined {
  const entry = entries.get('cron');
  const text = readText(entry, reporter);
  if (entry === undefined || text === undefined) return undefined;
  const problem = cronProblem(text);
  if (problem === undefined) return text;
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

function readOverlap({ entries }: LocatedMap, reporter: Reporter): string | undefined {
  const entry = entries.get('overlap');
  const text = readText(entry, reporter);
  if (entry === undefined || text === undefined) return undefined;
  const overlap = OVERLAPS.find((known) => known === text);
  if (overlap !== undefined) return OVERLAP_POLICIES[overlap];
  const message = `'overlap' is ${quote(text)}; ${suggestion(text, OVERLAPS)}`;
  reporter.error('schedule', valueRange(entry), message);
  return undefined;
}

interface CronField {
  readonly name: string;
  readonly minimum: number;
  readonly maximum: number;
  readonly names?: readonly string[];
}

const MONTHS = 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' ');
const WEEKDAYS = 'sun mon tue wed thu fri sat'.split(' ');
const FIELDS: readonly CronField[] = [
  { name: 'minute', minimum: 0, maximum: 59 },
  { name: 'hour', minimum: 0, maximum: 23 },
  { name: 'day of the month', minimum: 1, maximum: 31 },
  { name: 'month', minimum: 1, maximum: 12, names: MONTHS },
  { name: 'day of the week', minimum: 0, maximum: 7, names: WEEKDAYS },
];
const SHORTHANDS = [
  '@yearly',
  '@annually',
  '@monthly',
  '@weekly',
  '@daily',
  '@midnight',
  '@hourly',
];

/** What is wrong with a cron text, as `expected ...`. */
function cronProblem(text: string): string | undefined {
  if (text.startsWith('@every ')) {
    // Temporal refuses less than a second, and leaves out what is less than one.
    const interval = parseDuration(text.slice('@every '.length)) ?? 0;
    return interval > 0 && interval % 1000 === 0
      ? undefined
      : 'expected a duration of whole seconds, as in @every 12h';
  }
  if (text.startsWith('@')) {
    return SHORTHANDS.includes(text) ? undefined : suggestion(text, [...SHORTHANDS, '@every 12h']);
  }
  const fields = text.trim().split(/ +/);
  if (/^(CRON_)?TZ=/.test(text)) return "name the timezone by the key 'timezone'";
  if (fields.length !== FIELDS.length) {
    const found = `${fields.length} ${fields.length === 1 ? 'field' : 'fields'}`;
    return `it has ${found}; expected 5: minute, hour, day of the month, month, day of the week`;
  }
  for (const [index, field] of FIELDS.entries()) {
    const found = fields[index] ?? '';
    if (!found.split(',').every((part) => isCronPart(part, field))) {
      return `the ${field.name} is ${quote(found)}; expected ${field.minimum}-${field.maximum}, *, */n, a-b or a list`;
    }
  }
  return undefined;
}

function isCronPart(part: string, field: CronField): boolean {
  const match = /^(?:\*|(\w+)(?:-(\w+))?)(?:\/(\d+))?$/.exec(part);
  if (match === null) return false;
  const [, from, to, every] = match;
  if (every !== undefined && (Number(every) < 1 || Number(every) > field.maximum)) return false;
  if (from === undefined) return true;
  const first = cronNumber(from, field);
  const last = to === undefined ? first : cronNumber(to, field);
  return first !== undefined && last !== undefined && first <= last;
}

function cronNumber(text: string, { minimum, maximum, names }: CronField): number | undefined {
  const named = names?.indexOf(text.toLowerCase()) ?? -1;
  const number = named >= 0 ? named + minimum : /^\d+$/.test(text) ? Number(text) : NaN;
  return number >= minimum && number <= maximum ? number : undefined;
}
