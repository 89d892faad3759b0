import type { JsonObject } from '../../plan/json.ts';
import { MAX_MATRIX_ENTRIES, matrixSizeProblem } from '../../plan/matrix.ts';
import type { Plan } from '../../plan/plan.ts';
import type { LocatedEntry } from '../located.ts';
import { describeFound, quote, toJson, valueRange } from '../located.ts';
import type { Strategy } from '../pipeline.ts';
import type { Reporter } from '../reporter.ts';
import type { Range } from '../source-text.ts';

const MAX_STEPS = 5000;
export const MAX_PARALLEL = 500;
export const MAX_ATTEMPTS = 1000;
/** Temporal takes at most 2 MiB for one result: the plan, the options of the submission, and what is around them. */
const MAX_PLAN_BYTES = 1.5 * 1024 * 1024;

/** Rule `limit`: counts and sizes. */
export function readCount(
  entry: LocatedEntry | undefined,
  { minimum, maximum }: { readonly minimum: number; readonly maximum: number },
  reporter: Reporter,
): number | undefined {
  if (entry === undefined) return undefined;
  const found = toJson(entry.value);
  const isCount = typeof found === 'number' && Number.isInteger(found);
  if (isCount && found >= minimum && found <= maximum) return found;
  const message = `${quote(entry.key)} is ${describeFound(found)}; expected an integer from ${minimum} to ${maximum}`;
  reporter.error('limit', valueRange(entry), message);
  return undefined;
}

export function checkStepCount(count: number, range: Range, reporter: Reporter): void {
  if (count > MAX_STEPS) {
    const message = `'steps' has ${count} steps; expected at most ${MAX_STEPS}; split the pipeline`;
    reporter.error('limit', range, message);
  }
}

/** Entries of a matrix, as far as its lists are written out. */
export function checkMatrixSize({ dimensions, range }: Strategy, reporter: Reporter): boolean {
  const size = [...dimensions.values()].reduce(
    (product, { value }) => product * (value.kind === 'list' ? value.items.length : 1),
    1,
  );
  if (size <= MAX_MATRIX_ENTRIES) return true;
  reporter.error('limit', range, matrixSizeProblem(size));
  return false;
}

/** Plan and params travel as one result of an activity. */
export function checkPlanSize(
  plan: Plan,
  params: JsonObject | undefined,
  reporter: Reporter,
): void {
  const bytes = new TextEncoder().encode(JSON.stringify({ plan, params })).length;
  if (bytes > MAX_PLAN_BYTES) {
    const message = `the compiled plan has ${bytes} bytes with its params; expected at most ${MAX_PLAN_BYTES}; split the pipeline`;
    reporter.error('limit', { start: 0, end: 0 }, message);
  }
}
