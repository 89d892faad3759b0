import fc from 'fast-check';
import { expect, test } from 'vitest';
import { branchesOf, typeOfBranches } from '../../language/expression-type.ts';
import { closed } from '../../language/schema-making.ts';
import { accepts, describeSchemas, type ValueSchema } from '../../language/schema.ts';
import { evaluateTemplate, parseExpression } from '../../plan/expressions.ts';

const contexts = closed({
  params: closed({
    flag: { type: 'boolean' },
    count: { type: 'integer' },
    text: { type: 'string' },
    word: { enum: ['x', '', 'y'] },
    list: { type: 'array', items: { type: 'integer' } },
  }),
});

function typeOf(text: string): readonly ValueSchema[] {
  return typeOfBranches(branchesOf(parseExpression(text).gives, contexts));
}

const READS = ['flag', 'count', 'text', 'word', 'list'].map((name) => `params.${name}`);
const LITERALS = ['1', '0', '2.5', "'a'", "''", 'true', 'false', 'null'];

const { expression } = fc.letrec<{ expression: string }>((tie) => {
  const inner = tie('expression');
  return {
    expression: fc.oneof(
      { maxDepth: 3 },
      fc.constantFrom(...READS, ...LITERALS),
      fc
        .tuple(inner, fc.constantFrom('&&', '||', '==', '<'), inner)
        .map(([left, operator, right]) => `(${left} ${operator} ${right})`),
      fc
        .tuple(inner, inner, inner)
        .map((parts) => `case(!!(${parts[0]}), ${parts[1]}, ${parts[2]})`),
      inner.map((part) => `!(${part})`),
      inner.map((part) => `toJSON(${part})`),
      inner.map((part) => `fromJSON(toJSON(${part}))`),
    ),
  };
});

const params = fc.record({
  flag: fc.boolean(),
  count: fc.constantFrom(0, 1),
  text: fc.constantFrom('', 'some'),
  word: fc.constantFrom('x', '', 'y'),
  list: fc.constant([1]),
});

test('whatever an expression gives is of its type', () => {
  fc.assert(
    fc.property(expression, params, (text, values) => {
      const value = evaluateTemplate(`\${{ ${text} }}`, { params: values });
      const type = typeOf(text);
      const fits = type.some((schema) => accepts(schema, value));
      expect(fits, `${JSON.stringify(value)} of ${describeSchemas(type)}`).toBe(true);
    }),
    { numRuns: 2000, seed: 3 },
  );
});

test.each([
  ["params.flag && 'y' || 'x'", 'one of y, x'],
  ['params.count || params.word', "one of x, '', y or an integer"],
  ['params.list && 5', '5'],
  ["params.text && 'some'", "one of '', some"],
  ["case(params.flag, 1, 'all')", 'one of 1, all'],
  ["'a' || params.list", 'a'],
  ["fromJSON('5') || 'a'", 'a value'],
])('%s gives %s', (text, described) => {
  expect(describeSchemas(typeOf(text))).toBe(described);
});
