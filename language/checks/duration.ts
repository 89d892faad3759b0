import type { LocatedEntry } from '../located.ts';
import { describeFound, quote, toJson, valueRange } from '../located.ts';
import type { Reporter } from '../reporter.ts';

export const DURATION = /^(?=\d)(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/;
const UNIT_MS = [86_400_000, 3_600_000, 60_000, 1000, 1];
const MAX_DURATION_MS = 365 * 86_400_000;

/** Milliseconds of `500ms`, `2s`, `1h30m`, `2d`; undefined for any other text. */
export function parseDuration(text: string): number | undefined {
  const match = DURATION.exec(text);
  if (match === null) return undefined;
  return UNIT_MS.reduce((sum, unit, index) => sum + unit * Number(match[index + 1] ?? 0), 0);
}

/** `1h30m`: the text that stands for so many milliseconds. */
export function formatDuration(milliseconds: number): string {
  const units = ['d', 'h', 'm', 's', 'ms'];
  let rest = milliseconds;
  const parts = UNIT_MS.map((unit, index) => {
    const count = Math.floor(rest / unit);
    rest -= count * unit;
    return count === 0 ? '' : `${count}${units[index]}`;
  });
  return parts.join('') || '0s';
}

/** Rule `duration`. */
export function readDuration(
  entry: LocatedEntry | undefined,
  minimumMs: number,
  reporter: Reporter,
): number | undefined {
  if (entry === undefined) return undefined;
  const found = toJson(entry.value);
  const milliseconds = typeof found === 'string' ? parseDuration(found) : undefined;
  const isInRange =
    milliseconds !== undefined && milliseconds >= minimumMs && milliseconds <= MAX_DURATION_MS;
  if (isInRange) return milliseconds;
  const message = `${quote(entry.key)} is ${describeFound(found)}; ${expectation(found, milliseconds, minimumMs)}`;
  reporter.error('duration', valueRange(entry), message);
  return undefined;
}

function expectation(found: unknown, milliseconds: number | undefined, minimumMs: number): string {
  if (milliseconds !== undefined) return `expected from ${formatDuration(minimumMs)} to 365d`;
  const expected = 'expected a duration such as 30s, 5m or 1h30m';
  return typeof found === 'number' ? `${expected}; add a unit: ${found}s` : expected;
}
