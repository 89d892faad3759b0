import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compile } from '../../language/compile.ts';
import { evaluateCondition } from '../../plan/expressions.ts';
import { admit } from '../../plan/scheduling.ts';
import type { Plan, StepState, StepStatus } from '../../plan/plan.ts';
import { progressWith } from '../plan/progress.ts';
import { catalog } from './catalog.ts';

const ENDS: readonly StepStatus[] = ['completed', 'failed', 'skipped'];

/** Whether some way for the two steps before it to end lets the step run, by the scheduler itself. */
function canRun({ steps, ...rest }: Plan): boolean {
  const plan = { ...rest, steps };
  const step = steps.find(({ id }) => id === 'c');
  if (step === undefined) throw new Error('the plan has no step c');
  return ENDS.some((a) =>
    ENDS.some((b) =>
      [true, false].some((flag) => {
        const ended = (status: StepStatus): StepState => ({
          status,
          attempt: 1,
          ...(status === 'completed' && { outputs: { flag, value: null } }),
        });
        const states = { a: ended(a), b: ended(b) };
        const circumstances = progressWith(plan, states).circumstances(step);
        const results = { completed: 'success', failed: 'failure', skipped: 'skipped' };
        const contexts = {
          params: plan.params,
          env: plan.env,
          run: { name: plan.name },
          steps: Object.fromEntries(
            Object.entries(states).map(([id, { status, outputs = {} }]) => [
              id,
              { outputs, result: results[status as keyof typeof results] },
            ]),
          ),
        };
        return admit(step, circumstances, contexts).kind === 'run';
      }),
    ),
  );
}

const PARTS = [
  'success()',
  'failure()',
  'always()',
  "steps.a.result == 'success'",
  "steps.a.result == 'skipped'",
  "steps.b.result != 'success'",
  "steps.b.result == 'failure'",
  'steps.a.outputs.flag',
  "env.MODE == 'fast'",
  "env.MODE == 'slow'",
];
const CONDITIONS = PARTS.flatMap((left) => [
  `!(${left})`,
  ...PARTS.flatMap((right) => [
    `${left} && ${right}`,
    `${left} || ${right}`,
    `${left} && !(${right})`,
  ]),
]);

test("an 'if' is said to be never true exactly when no ending of its needs lets the step run", () => {
  const wrong: string[] = [];
  for (const condition of CONDITIONS) {
    const source = `name: p
env: { MODE: fast }
steps:
  a: { uses: probe@2 }
  b: { uses: probe@2 }
  c: { uses: probe@1, needs: [a, b], if: "${condition}" }
  d: { uses: probe@1, needs: c }
`;
    const result = compile({ source, catalog });
    const found = (result.ok ? result.hints : result.diagnostics).map(({ rule }) => rule);
    const isSaid = found.includes('never-true');
    if (found.includes('unreachable') !== isSaid) wrong.push(`${condition}: d`);
    // A plan of the same steps whose diagnostics do not matter.
    const open = compile({ source: source.replace(/if: ".*"/, 'if: always()'), catalog });
    if (!open.ok) throw new Error(`not compiled: ${condition}`);
    const steps = open.plan.steps.map((step) =>
      step.id === 'c' ? { ...step, if: condition } : step,
    );
    if (canRun({ ...open.plan, steps }) === isSaid) wrong.push(condition);
  }
  expect(wrong).toEqual([]);
});

const LITERALS = ['-1', '0', '0.5', '2', '2.5', '3', '4', "'3'", "'x'", 'true', 'null'];
const comparison = fc
  .tuple(
    fc.constantFrom('params.n', 'params.rate'),
    fc.constantFrom('==', '!=', '<', '<=', '>', '>='),
    fc.constantFrom(...LITERALS),
    fc.boolean(),
  )
  .map(([read, operator, literal, isTurned]) =>
    isTurned ? `${literal} ${operator} ${read}` : `${read} ${operator} ${literal}`,
  );
const comparisons = fc.oneof(
  comparison,
  fc
    .tuple(
      comparison,
      fc.constantFrom('&&', '||'),
      comparison,
      fc.constantFrom('&&', '||'),
      comparison,
    )
    .map(([a, first, b, second, c]) => `(${a} ${first} !(${b})) ${second} ${c}`),
);

test("an 'if' of comparisons is said to be never true exactly when no number of a param makes it true", () => {
  const whole = [0, 1, 2, 3];
  const rates = Array.from({ length: 25 }, (_, index) => index / 8);
  const all = whole.flatMap((n) => rates.map((rate) => ({ n, rate })));
  const status = { success: true, failure: false, cancelled: false };
  fc.assert(
    fc.property(comparisons, (condition) => {
      const source = `name: p
params:
  n: { type: integer, default: 1, minimum: 0, maximum: 3 }
  rate: { type: number, default: 1, minimum: 0, maximum: 3 }
steps:
  a: { uses: probe@1, if: "${condition}" }
`;
      const result = compile({ source, catalog });
      const found = (result.ok ? result.hints : result.diagnostics).map(({ rule }) => rule);
      const canBe = all.some((params) => evaluateCondition(condition, { params }, status));
      expect(found.includes('never-true')).toBe(!canBe);
    }),
    { numRuns: 400, seed: 7 },
  );
});
