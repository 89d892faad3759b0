import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Diagnostic, check } from '../../language/compile.ts';
import { catalog } from './catalog.ts';

const STEPS = 6;

/** Steps that make what the others miss, and for each those that it waits for. */
function pipeline(needs: readonly (readonly number[])[]): string {
  const steps = needs.map((each, index) => {
    const kind = index % 2 === 0 ? 'train@1' : 'tokenize@1';
    return `  s${index}: { uses: ${kind}, needs: [${each.map((need) => `s${need}`).join(', ')}] }`;
  });
  return ['name: p', 'steps:', ...steps].join('\n');
}

function diagnosticsOf(needs: readonly (readonly number[])[]): readonly Diagnostic[] {
  return check({ source: pipeline(needs), catalog });
}

test('what a missing input may be wired to never makes steps wait for one another', () => {
  let proposed = 0;
  fc.assert(
    fc.property(
      fc.shuffledSubarray([...Array(STEPS).keys()], { minLength: STEPS }),
      fc.array(fc.tuple(fc.nat(STEPS - 1), fc.nat(STEPS - 1)), { maxLength: 8 }),
      (order, pairs) => {
        const edges = pairs.filter(([from, to]) => from > to);
        const needs = [...order.keys()].map((step) => [
          ...new Set(
            edges.filter(([from]) => order[from] === step).map(([, to]) => order[to] ?? 0),
          ),
        ]);
        for (const { rule, line, message } of diagnosticsOf(needs)) {
          if (rule !== 'missing-key') continue;
          const step = line - 3;
          for (const [, wire] of message.matchAll(/steps\.s(\d)\./g)) {
            proposed += 1;
            const wired = needs.map((each, at) => (at === step ? [...each, Number(wire)] : each));
            expect(diagnosticsOf(wired).map((found) => found.rule)).not.toContain('cycle');
          }
        }
      },
    ),
    { numRuns: 50, seed: 4 },
  );
  expect(proposed).toBeGreaterThan(100);
});

test('a step that stands later is proposed only where nothing has to be wired to it', () => {
  const source = `name: p
steps:
  one: { uses: subset@1 }
  two: { uses: subset@1 }
  data: { uses: download-dataset@1, with: { source: 'file:rows.csv', text: text } }
`;
  const proposed = check({ source, catalog }).map(({ message }) => [
    ...message.matchAll(/steps\.(\w+)\./g),
  ]);
  const alone = check({ source: source.replace(/ {2}data:.*\n/, ''), catalog });
  expect(proposed.map((wires) => wires.map(([, id]) => id))).toEqual([['data'], ['one']]);
  expect(alone.map(({ message }) => /steps\.(\w+)\./.exec(message)?.[1])).toEqual(['ID', 'one']);
});

test('a later step that a person names is the one to wire', () => {
  const source = `name: p
steps:
  one: { uses: subset@1, with: { dataset: two } }
  two: { uses: subset@1, with: { dataset: '\${{ steps.data.outputs.dataset }}' } }
  data: { uses: download-dataset@1, with: { source: 'file:rows.csv', text: text } }
`;
  expect(check({ source, catalog }).map(({ message }) => message)).toEqual([
    `'dataset' is 'two', a string; expected a dataset from a step; write "\${{ steps.two.outputs.dataset }}"`,
  ]);
});
