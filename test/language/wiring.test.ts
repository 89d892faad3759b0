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
