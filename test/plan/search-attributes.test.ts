import { expect, test } from 'vitest';
import type { JsonObject } from '../../plan/json.ts';
import type { Plan, PlanStep } from '../../plan/plan.ts';
import { emptyRunState } from '../../plan/run-state.ts';
import { searchAttributesOf } from '../../plan/search-attributes.ts';

function planOf(params: JsonObject, names: readonly string[] = []): Plan {
  const steps = names.map((name, index): PlanStep => ({
    ...{ id: `publish_${index}`, kind: 'register', version: 1, revision: 1, effect: 'external' },
    ...{ role: 'work', needs: [], with: { name }, runsOn: 'cpu' },
    retry: { maxAttempts: 1, backoffMs: 0, maxBackoffMs: 0 },
  }));
  return { name: 'p', params, env: {}, maxParallel: 1, steps, outputs: {} };
}

test('params are told where they are a text, number or boolean', () => {
  const plan = planOf({ rows: 10, fast: true, base: 'hf://gpt2', list: [1], none: null });
  expect(searchAttributesOf(plan, emptyRunState('p'))).toEqual({
    RetunePipeline: 'p',
    RetuneStatus: 'running',
    RetuneParams: ['rows=10', 'fast=true', 'base=hf://gpt2'],
    RetuneModels: [],
  });
});

test('what does not fit is left out, not cut', () => {
  const long = 'x'.repeat(190);
  const plan = planOf({ a: long, b: 'x'.repeat(300), c: `${long}c`, d: `${long}d`, e: long, f: 1 });
  const { RetuneParams } = searchAttributesOf(plan, emptyRunState('p'));
  expect(RetuneParams).toEqual([`a=${long}`, `c=${long}c`, `d=${long}d`, 'f=1']);
});

test('models are those whose names follow from the submission, each once', () => {
  const names = ['tweets', '${{ params.name }}', '${{ steps.a.outputs.name }}', 'tweets'];
  const { RetuneModels } = searchAttributesOf(planOf({ name: 'mine' }, names), emptyRunState('p'));
  expect(RetuneModels).toEqual(['tweets', 'mine']);
});
