import { kindName } from './catalog.ts';
import { quote } from './located.ts';
import { keysOf, schemasAt, type ValueSchema, valueSchema } from './schema.ts';
import type { StepSignature } from './step-declaration.ts';
import { closest, oneOf } from './suggestion.ts';

/**
 * What is wrong with the place of an input, and what was meant; undefined when the kind has it.
 *
 * @param instead what to do where nothing is inside the input, quoted, that stands before the name
 */
export function unknownInput(
  names: readonly string[],
  signature: StepSignature,
  instead: (around: string) => string,
): string | undefined {
  const schema = valueSchema(signature.with, 'input');
  const known = (count: number): readonly ValueSchema[] => schemasAt(schema, names.slice(0, count));
  const wrong = names.findIndex((_, index) => !isThere(known(index + 1)));
  const name = names[wrong];
  if (name === undefined) return undefined;
  const around = names.slice(0, wrong);
  const candidates = known(wrong).flatMap((each) => keysOf(each) ?? []);
  const owner = around.length === 0 ? kindName(signature) : quote(around.join('.'));
  const near = closest(name, candidates);
  const remedy =
    near !== undefined
      ? `did you mean ${quote([...around, near].join('.'))}?`
      : candidates.length > 0
        ? `expected ${oneOf(candidates)}`
        : instead(quote(around.join('.')));
  return `${owner} has no ${quote(name)}; ${remedy}`;
}

/** What is not built yet has no value. */
function isThere(schemas: readonly ValueSchema[]): boolean {
  return schemas.some(({ notBuilt }) => notBuilt === undefined);
}
