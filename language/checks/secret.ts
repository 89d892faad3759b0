import type { Reference } from '../../plan/expressions.ts';
import { SECRET_NAME, SECRET_VARIABLE } from '../../plan/secret-inputs.ts';
import type { LocatedScalar } from '../located.ts';
import { quote } from '../located.ts';
import type { Reporter } from '../reporter.ts';
import type { ValueSchema } from '../schema.ts';
import type { LocatedExpression, TemplateReader } from '../template.ts';

/** Rule `secret`: a `with` holds secrets by name, each by itself. */
export function checkSecrets(located: LocatedExpression, reporter: Reporter): void {
  const { expression, rangeOf } = located;
  const isAlone = expression.plain?.context === 'secrets';
  for (const reference of secretsIn(located)) {
    const problem = nameProblem(reference) ?? (isAlone ? undefined : COMPUTED);
    if (problem !== undefined) reporter.error('secret', rangeOf(reference), problem);
  }
}

const COMPUTED =
  "an expression cannot compute with a secret, which only the worker knows; write it by itself, with text around it where that is needed: 'Bearer ${{ secrets.NAME }}'";

function nameProblem({ path }: Reference): string | undefined {
  const [first] = path;
  if (first?.kind !== 'name') {
    return "'secrets' has to be followed by the name of one secret; write secrets.NAME";
  }
  if (SECRET_NAME.test(first.name)) return undefined;
  const form = first.name
    .replaceAll(/\W/g, '_')
    .replace(/^(?=\d)/, '_')
    .slice(0, 100);
  const expected = "expected at most 100 letters, digits and '_', no digit first";
  return `${quote(first.name)} cannot name a secret; ${expected}; write secrets.${form || 'NAME'}`;
}

/** Rule `secret`: all but a `with` is evaluated in the workflow, and kept with the run. */
export function checkNoSecrets(located: LocatedExpression, key: string, reporter: Reporter): void {
  for (const reference of secretsIn(located)) {
    const message = `${quote(key)} cannot read a secret, as what it gives is kept with the run; only a step's 'with' can`;
    reporter.error('secret', located.rangeOf(reference), message);
  }
}

/** Rule `secret`: what is written out, or comes from a param or a step, is kept with the run. */
export function checkCredential(
  input: string,
  scalar: LocatedScalar,
  schemas: readonly ValueSchema[],
  templates: TemplateReader,
  reporter: Reporter,
): void {
  const schema = schemas.find(({ credential }) => credential === true);
  if (schema === undefined || typeof scalar.value !== 'string') return;
  const template = templates.read(scalar);
  const { expressions = [], isBroken = false } = template ?? {};
  if (isBroken || expressions.some((part) => secretsIn(part).length > 0)) return;
  const { example = '' } = schema;
  const variable = example.replace(/.*secrets\.(\w+).*/, `${SECRET_VARIABLE}$1`);
  const message = `${quote(input)} takes a secret only, as any other text would be kept with the run; write "${example}", and set ${variable} where the worker runs`;
  reporter.error('secret', scalar.range, message);
}

function secretsIn({ expression }: LocatedExpression): readonly Reference[] {
  return expression.references.filter(({ context }) => context === 'secrets');
}
