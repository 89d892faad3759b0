import { expect, test } from 'vitest';
import { changedParams, readersOf } from '../../plan/param-readers.ts';
import type { Plan, PlanStep } from '../../plan/plan.ts';

function step(id: string, parts: Partial<PlanStep>): PlanStep {
  const retry = { maxAttempts: 1, backoffMs: 1, maxBackoffMs: 1 };
  return {
    ...{ id, kind: 'k', version: 1, revision: 1, effect: 'pure', role: 'work' },
    ...{ needs: [], with: {}, runsOn: 'cpu', retry },
    ...parts,
  };
}

const PLAN: Plan = {
  ...{ name: 'p', params: {}, env: {}, maxParallel: 1, outputs: {} },
  steps: [
    step('input', { with: { args: [{ rate: 'at ${{ params.Rate }}' }] } }),
    step('condition', { if: 'params.rate > 0.1' }),
    step('label', { runsOn: '${{ params.rate }}' }),
    step('matrix', { strategy: { matrix: { x: '${{ params.rates }}' }, failFast: true } }),
    step('computed', { with: { any: "${{ params[format('{0}', steps.a.outputs.x)] }}" } }),
    step('all', { with: { any: '${{ toJSON(params) }}' } }),
    step('none', { with: { any: '${{ steps.input.outputs.rate }} params.rate' } }),
  ],
};

test.each([
  [['rate'], ['input', 'condition', 'label', 'computed', 'all']],
  [['rates'], ['matrix', 'computed', 'all']],
  [['other'], ['computed', 'all']],
  [[], []],
])('who reads %j', (params, readers) => {
  expect(readersOf(PLAN, params)).toEqual(readers);
});

test('what has changed, of values and lists', () => {
  const before = { a: 1, b: [1, 2], c: 'x', gone: true };
  const after = { a: 1, b: [2, 1], c: 'y', come: null };
  expect(changedParams(before, after)).toEqual(['b', 'c', 'gone', 'come']);
});
