import { data } from '@actions/expressions';
import type { Evaluator } from '@actions/expressions';
import { wellKnownFunctions } from '@actions/expressions/funcs';
import { fromExpressionData, toExpressionData } from './expression-data.ts';
import type { JsonValue } from './json.ts';
import { isDeeper, MAX_DEPTH } from './json-depth.ts';
import type { TextBudget } from './text-budget.ts';

type ExpressionData = ReturnType<Evaluator['evaluate']>;
export type EngineFunctions = NonNullable<ConstructorParameters<typeof Evaluator>[2]>;

const { format, join } = wellKnownFunctions;

/** The functions that make text, within a budget, and JSON without the engine's dictionary, which loses keys. */
export function boundedFunctions(budget: TextBudget): EngineFunctions {
  const one = { minArgs: 1, maxArgs: 1 };
  const made = (text: ExpressionData): ExpressionData => {
    budget.take(text.coerceString().length);
    return text;
  };
  const functions: EngineFunctions = new Map();
  functions.set('fromjson', { name: 'fromJSON', ...one, call: fromJson });
  functions.set('tojson', { name: 'toJSON', ...one, call: (value) => made(toJson(value)) });
  if (format === undefined || join === undefined) {
    throw new Error('internal: the expression engine has no format() or join()');
  }
  functions.set('format', {
    ...format,
    call: (...values) => {
      budget.take(formattedLength(values));
      return format.call(...values);
    },
  });
  functions.set('join', {
    ...join,
    call: (...values) => {
      budget.take(joinedLength(values));
      return join.call(...values);
    },
  });
  return functions;
}

/** At least the characters that format() makes: those of its text, and of a value for each place. */
function formattedLength([text, ...values]: readonly ExpressionData[]): number {
  const template = text?.coerceString() ?? '';
  let length = template.length;
  for (const [, index] of template.matchAll(/\{(\d+)\}/g)) {
    length += values[Number(index)]?.coerceString().length ?? 0;
  }
  return length;
}

function joinedLength([list, separator]: readonly ExpressionData[]): number {
  const items = list instanceof data.Array ? list.values() : [];
  const each = separator?.coerceString().length ?? 1;
  return items.reduce((sum, item) => sum + item.coerceString().length + each, 0);
}

function fromJson(value?: ExpressionData): ExpressionData {
  const text = value?.coerceString() ?? '';
  const parsed = parseJson(text);
  if (isDeeper(parsed, MAX_DEPTH)) {
    throw new Error(`fromJSON() was given JSON that nests more than ${MAX_DEPTH} levels deep`);
  }
  return toExpressionData(parsed);
}

function parseJson(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch (error) {
    const shown = text.length > 60 ? `${text.slice(0, 59)}…` : text;
    throw new Error(`fromJSON() was given '${shown}', which is not JSON`, { cause: error });
  }
}

function toJson(value?: ExpressionData): ExpressionData {
  const json = value === undefined ? null : fromExpressionData(value);
  return toExpressionData(JSON.stringify(json, null, 2));
}
