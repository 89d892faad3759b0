import { references } from './expressions.ts';
import type { JsonObject } from './json.ts';
import type { Plan, PlanStep, StepId, Template } from './plan.ts';

/** Params whose values differ, by name. */
export function changedParams(before: JsonObject, after: JsonObject): readonly string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names].filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]));
}

/** Steps whose own text reads one of the params; what depends on those is not among them. */
export function readersOf({ steps }: Plan, params: readonly string[]): readonly StepId[] {
  if (params.length === 0) return [];
  return steps.filter((step) => readsParam(step, new Set(params))).map(({ id }) => id);
}

function readsParam(step: PlanStep, params: ReadonlySet<string>): boolean {
  const { matrix, include, exclude } = step.strategy ?? {};
  const condition: readonly Template[] = step.if === undefined ? [] : [`\${{ ${step.if} }}`];
  const parts = [step.with, step.runsOn, matrix, include, exclude, ...condition];
  return parts
    .flatMap((part) => (part === undefined ? [] : references(part)))
    .some(({ context, path: [first] }) => {
      if (context !== 'params') return false;
      // Names of expressions have no case; all of `params`, or a computed name, may be any of them.
      return first?.kind !== 'name' || [...params].some((name) => isSameName(name, first.name));
    });
}

function isSameName(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}
