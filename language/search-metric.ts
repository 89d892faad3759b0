import { kindName } from './catalog.ts';
import type { LocatedEntry } from './located.ts';
import { quote, valueRange } from './located.ts';
import type { Reporter } from './reporter.ts';
import { kindsOf, schemasAt, type ValueSchema, valueSchema } from './schema.ts';
import type { StepSignature } from './step-declaration.ts';
import { suggestion } from './suggestion.ts';
import type { SearchedStep } from './searched-step.ts';

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

/** `best_step`, `metrics.eval_loss`. */
function numbersOf({ outputs }: StepSignature): readonly string[] {
  return Object.entries(outputs).flatMap(([name, output]) =>
    numbersIn(valueSchema(output, 'output'), name),
  );
}

function numbersIn(schema: ValueSchema, path: string): readonly string[] {
  if (kindsOf(schema).has('number')) return [path];
  const { properties = {}, additionalProperties: other, evaluatedFrom } = schema;
  const isOpen = typeof other === 'object' && kindsOf(other).has('number');
  return [
    ...Object.entries(properties).flatMap(([name, inner]) => numbersIn(inner, `${path}.${name}`)),
    ...(isOpen ? [`${path}.${evaluatedFrom === undefined ? 'NAME' : 'eval_loss'}`] : []),
  ];
}
