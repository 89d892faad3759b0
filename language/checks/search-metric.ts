import { kindName } from '../catalog.ts';
import type { LocatedEntry } from '../located.ts';
import { quote, valueRange } from '../located.ts';
import type { Reporter } from '../reporter.ts';
import { kindsOf, schemasAt, type ValueSchema, valueSchema } from '../schema.ts';
import type { StepSignature } from '../step-declaration.ts';
import { suggestion } from '../suggestion.ts';
import type { SearchedStep } from './search.ts';

/** Rule `search`: the kind gives the number that is compared. */
export function checkMetric(
  entry: LocatedEntry | undefined,
  metric: string,
  { signature, inputs }: SearchedStep,
  reporter: Reporter,
): void {
  if (entry === undefined || metric === '' || signature === undefined) return;
  const [name = '', ...rest] = metric.split('.');
  const output = signature.outputs[name];
  const schema = output && valueSchema(output, 'output');
  const found = schema === undefined ? [] : schemasAt(schema, rest);
  const range = valueRange(entry);
  if (!found.some(isNumber)) {
    const message = `'metric' is ${quote(metric)}, and ${kindName(signature)} gives no such number; ${suggestion(metric, numbersOf(signature))}`;
    reporter.error('search', range, message);
    return;
  }
  const evaluated = schema?.evaluatedFrom;
  const isEvaluation = rest.join('.').startsWith('eval_');
  if (evaluated === undefined || !isEvaluation || inputs?.entries.has(evaluated)) return;
  const message = `'metric' is ${quote(metric)}, and nothing is evaluated without ${quote(evaluated)}; add it to 'with'`;
  reporter.error('search', range, message);
}

function isNumber(schema: ValueSchema): boolean {
  const kinds = kindsOf(schema);
  return kinds.has('number') || kinds.has('anything');
}

/** `best_step`, `metrics.NAME`. */
function numbersOf({ outputs }: StepSignature): readonly string[] {
  return Object.entries(outputs).flatMap(([name, output]) => {
    const schema = valueSchema(output, 'output');
    if (kindsOf(schema).has('number')) return [name];
    const { additionalProperties: inner, evaluatedFrom } = schema;
    if (typeof inner !== 'object' || !kindsOf(inner).has('number')) return [];
    return [`${name}.${evaluatedFrom === undefined ? 'NAME' : 'eval_loss'}`];
  });
}
