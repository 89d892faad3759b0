import type { StepId } from '../../plan/plan.ts';
import { directDependents } from '../dependents.ts';
import { quote } from '../located.ts';
import type { Pipeline, Step } from '../pipeline.ts';
import type { Reporter } from '../reporter.ts';
import type { ValueSchema } from '../schema.ts';
import { canBeTrue } from '../step-conditions.ts';
import type { NeedGraph } from './cycle.ts';

/**
 * Rule `unreachable`: a step that no run starts, because of a need that no run starts.
 *
 * @param neverTrue the steps whose own `if` can never be true, which are reported
 */
export function checkUnreachable(
  graph: NeedGraph,
  neverTrue: ReadonlySet<StepId>,
  pipeline: Pipeline,
  contexts: ValueSchema,
  reporter: Reporter,
): void {
  if (neverTrue.size === 0) return;
  const skipped = new Set(neverTrue);
  const failing = new Set<StepId>();
  for (const step of inOrder(graph, pipeline.steps)) {
    const needs = [...(graph.get(step.id)?.keys() ?? [])];
    const dead = needs.find((id) => skipped.has(id));
    if (needs.some((id) => failing.has(id) || !skipped.has(id))) failing.add(step.id);
    if (dead === undefined || skipped.has(step.id)) continue;
    const { condition } = step;
    const expression = condition?.expression?.expression;
    if (condition !== undefined && expression === undefined) continue;
    const before = { canSucceed: false, canFail: failing.has(step.id), skipped };
    if (canBeTrue(expression, before, pipeline, contexts)) continue;
    skipped.add(step.id);
    const message = `step ${quote(step.id)} never runs: it needs ${quote(dead)}, which never runs; remove it, or give it an 'if' with always()`;
    reporter.hint('unreachable', step.idRange, message);
  }
}

/** Each step after those it needs; what waits for itself, and what needs that, is left out. */
function inOrder(graph: NeedGraph, steps: Pipeline['steps']): readonly Step[] {
  const dependents = directDependents(graph);
  const waiting = new Map<StepId, number>();
  for (const [id, needs] of graph) {
    waiting.set(id, [...needs.keys()].filter((need) => graph.has(need)).length);
  }
  const ready = [...waiting].filter(([, count]) => count === 0).map(([id]) => id);
  for (let next = 0; next < ready.length; next += 1) {
    for (const id of dependents.get(ready[next] ?? '') ?? []) {
      const left = (waiting.get(id) ?? 0) - 1;
      waiting.set(id, left);
      if (left === 0) ready.push(id);
    }
  }
  return ready.flatMap((id) => steps.get(id) ?? []);
}
