import { parseDuration } from './checks/duration.ts';
import { quote } from './located.ts';
import { suggestion } from './suggestion.ts';

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

export const EVERY = '@every ';

/** Milliseconds between the times of `@every 12h`; undefined for any other cron text. */
export function everyMs(text: string): number | undefined {
  return text.startsWith(EVERY) ? parseDuration(text.slice(EVERY.length)) : undefined;
}

/** What is wrong with a cron text, as `expected ...`. */
export function cronProblem(text: string): string | undefined {
  if (text.startsWith(EVERY)) {
    // Temporal refuses less than a second, and leaves out what is less than one.
    const interval = everyMs(text) ?? 0;
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
