import { data } from '@actions/expressions';
import type { JsonObject, JsonValue } from './json.ts';

type ExpressionData = ReturnType<data.Array['get']>;

/**
 * A JSON object as the expression engine sees it. The engine's own dictionary drops keys that differ
 * only by case, and `constructor` and `__proto__`; this one reads own keys alone, the exact name
 * first and then, as GitHub does, the name whatever its case.
 */
class JsonDictionary extends data.Dictionary {
  readonly source: JsonObject;
  readonly #converted = new Map<string, ExpressionData>();

  constructor(source: JsonObject) {
    super();
    this.source = source;
  }

  override get(key: string): ExpressionData | undefined {
    if (Object.hasOwn(this.source, key)) return this.#convert(key);
    const lower = key.toLowerCase();
    const found = Object.keys(this.source).find((name) => name.toLowerCase() === lower);
    return found === undefined ? undefined : this.#convert(found);
  }

  override values(): ExpressionData[] {
    return Object.keys(this.source).map((key) => this.#convert(key));
  }

  override pairs(): { key: string; value: ExpressionData }[] {
    return Object.keys(this.source).map((key) => ({ key, value: this.#convert(key) }));
  }

  // The same object each time: the engine compares maps and lists by identity.
  #convert(key: string): ExpressionData {
    const known = this.#converted.get(key);
    if (known !== undefined) return known;
    const value = toExpressionData(this.source[key] ?? null);
    this.#converted.set(key, value);
    return value;
  }
}

/** Text has 15 significant digits, as in GitHub's runner; the engine's own keeps 15 decimals: 1e-17 reads 0. */
class JsonNumber extends data.NumberData {
  override coerceString(): string {
    return String(Number(this.value.toPrecision(15)));
  }
}

/** The engine's value for a JSON value; objects are converted when they are read. */
export function toExpressionData(value: JsonValue): ExpressionData {
  if (value === null) return new data.Null();
  if (typeof value === 'string') return new data.StringData(value);
  if (typeof value === 'number') return new JsonNumber(value);
  if (typeof value === 'boolean') return new data.BooleanData(value);
  if (isList(value)) {
    const list = new data.Array();
    for (const item of value) list.add(toExpressionData(item));
    return list;
  }
  return new JsonDictionary(value);
}

/**
 * The JSON value of an engine's value.
 *
 * @throws Error when a number is not finite: JSON has no such value
 */
export function fromExpressionData(value: ExpressionData): JsonValue {
  if (value instanceof JsonDictionary) return value.source;
  if (value instanceof data.Dictionary) {
    return Object.fromEntries(
      value.pairs().map(({ key, value: item }) => [key, fromExpressionData(item)]),
    );
  }
  if (value instanceof data.Array) return value.values().map(fromExpressionData);
  if (value instanceof data.NumberData) {
    if (!Number.isFinite(value.value)) throw new Error(`its value is ${value.value}, not a number`);
    return value.value + 0; // -0 becomes 0, as in JSON
  }
  if (value instanceof data.Null) return null;
  return value.value;
}

/** GitHub's truth: false, 0, NaN, the empty string and null are false, all else is true. */
export function isTruthy(value: ExpressionData): boolean {
  if (value instanceof data.BooleanData) return value.value;
  if (value instanceof data.NumberData) return value.value !== 0 && !Number.isNaN(value.value);
  if (value instanceof data.StringData) return value.value !== '';
  return !(value instanceof data.Null);
}

function isList(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}
