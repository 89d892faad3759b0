import { isLessBetter } from '../evaluation/metrics.ts';
import { Failure } from '../plan/failures.ts';
import type { JsonObject, JsonValue } from '../plan/json.ts';
import type { ArtifactDigest } from '../plan/plan.ts';
import { putArtifact } from '../store/artifacts.ts';
import type { SelectInputs } from './select.ts';
import type { StepContext } from './step-context.ts';

interface Selection {
  readonly chosen: JsonObject;
  readonly index: number;
  readonly value: number;
  readonly matrix: JsonObject;
  readonly table: ArtifactDigest;
}

/**
 * The result whose number at `by` is best; those without one, of entries that did not end well, are
 * left out.
 *
 * @throws InvalidInput when none has a number there
 */
export async function selectResult(
  { store, note }: Pick<StepContext, 'store' | 'note'>,
  { from, by, goal, matrix = [] }: SelectInputs,
): Promise<Selection> {
  const results = from as readonly JsonObject[];
  const entries = matrix as readonly JsonObject[];
  const sign = (goal ?? (isLessBetter(by) ? 'minimize' : 'maximize')) === 'minimize' ? 1 : -1;
  const rows = results
    .map((result, index) => ({ index, value: valueAt(result, by), matrix: entries[index] ?? {} }))
    .filter((row): row is typeof row & { value: number } => typeof row.value === 'number')
    .sort((a, b) => sign * (a.value - b.value) || a.index - b.index);
  const [best] = rows;
  if (best === undefined) throw nothingToSelect(results, by);
  const table = await putArtifact(store, {
    type: 'report',
    metadata: { by, goal: sign === 1 ? 'minimize' : 'maximize' },
    files: { 'table.json': new TextEncoder().encode(`${JSON.stringify(rows, null, 2)}\n`) },
  });
  const missing = results.length - rows.length;
  if (missing > 0) note(`${missing} of ${results.length} results have no number '${by}'`);
  return { ...best, chosen: results[best.index] ?? {}, table };
}

function valueAt(result: JsonObject, path: string): JsonValue | undefined {
  return path.split('.').reduce<JsonValue | undefined>((value, key) => {
    const isMap = typeof value === 'object' && value !== null && Object.hasOwn(value, key);
    return isMap ? (value as JsonObject)[key] : undefined;
  }, result);
}

function nothingToSelect(results: readonly JsonObject[], by: string): Failure {
  const [first] = results;
  if (first === undefined) {
    return new Failure('InvalidInput', "'from' is an empty list: there is nothing to select");
  }
  const paths = [...new Set(results.flatMap((result) => numbersOf(result, '')))];
  const expected = paths.length === 0 ? 'they have no numbers' : `expected ${paths.join(', ')}`;
  return new Failure('InvalidInput', `no result has a number '${by}'; ${expected}`);
}

/** Paths of the numbers inside a result. */
function numbersOf(value: JsonValue, path: string): readonly string[] {
  if (typeof value === 'number') return [path];
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return [];
  return Object.entries(value).flatMap(([key, item]) =>
    numbersOf(item, path === '' ? key : `${path}.${key}`),
  );
}
