import { expect, test } from 'vitest';
import type { JsonValue } from '../../plan/json.ts';
import { mayBeTrue } from '../../plan/expression-truth.ts';
import { evaluateCondition, parseExpression } from '../../plan/expressions.ts';

const KNOWN = new Map<string, JsonValue>([
  ['success()', false],
  ['always()', true],
  ['["steps","a","result"]', 'skipped'],
  ['["env","list"]', 'a b'],
  ['["env","none"]', null],
]);

test.each([
  // What is known decides, on either side of what is not.
  ['true', true],
  ['false', false],
  ["''", false],
  ["!'x'", false],
  ['params.x', true],
  ['params.x && false', false],
  ['false && params.x', false],
  ['params.x || true', true],
  ['params.x || false', true],
  ['(params.x || true) && success()', false],
  ['!(params.x || always())', false],
  ['params.x && params.y && success()', false],
  // Comparisons are the engine's own: case, types, null.
  ["steps.a.result == 'SKIPPED'", true],
  ["steps['a'].result == 'success'", false],
  ["(steps.a).result != 'skipped'", false],
  ["'3' == 3 && 2 < 1", false],
  ['env.none == 0', true],
  ['env.none > 0', false],
  ['params.x == params.x', true],
  ['(params.x && false) == false', true],
  // Functions of known values; of others nothing is known.
  ["contains(env.list, 'c')", false],
  ["contains(params.x, 'c')", true],
  ["format('{0}', '') || startsWith('ab', 'b')", false],
  ["fromJSON('false')", true],
  ['failure()', true],
  // What cannot be evaluated, or is no plain read, may be anything.
  ["format('{')", true],
  ['steps[params.x].result && true', true],
  ['steps.*.result && true', true],
])('%s', (text, expected) => {
  expect(mayBeTrue(parseExpression(text), KNOWN)).toBe(expected);
});

test('of literals it says what the engine says', () => {
  const values = ['true', 'false', 'null', "''", "'a'", "'A'", "'1'", '0', '1', '-1.5'];
  const status = { success: true, failure: false, cancelled: false };
  for (const left of values) {
    for (const right of values) {
      for (const operator of ['==', '!=', '<', '<=', '>', '>=', '&&', '||']) {
        for (const text of [`${left} ${operator} ${right}`, `!(${left} ${operator} ${right})`]) {
          const isTrue = mayBeTrue(parseExpression(text), new Map());
          expect([text, isTrue]).toEqual([text, evaluateCondition(text, {}, status)]);
        }
      }
    }
  }
});
