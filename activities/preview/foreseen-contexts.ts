import type { JsonObject } from '../../plan/json.ts';
import type { Matrices } from '../../plan/matrices.ts';
import type { PlanStep, RunState, StepId } from '../../plan/plan.ts';
import { stepState } from '../../plan/run-state.ts';
import { expressionContexts } from '../../plan/scheduling.ts';
import type { PreviewRequest } from './preview-request.ts';
import type { UnknownValues } from './unknown-values.ts';

interface Known {
  readonly request: Pick<PreviewRequest, 'plan' | 'id'>;
  readonly state: RunState;
  readonly matrices: Matrices;
  readonly unknown: UnknownValues;
  /** Steps whose outputs are not known. */
  readonly roots: ReadonlyMap<StepId, unknown>;
  readonly maybeSkipped: ReadonlySet<StepId>;
}

/** What the expressions of a step read, with what is unknown in its place. */
export function foreseenContexts({ needs }: PlanStep, known: Known): JsonObject {
  const { request, state, unknown, roots, maybeSkipped } = known;
  const { plan, id } = request;
  const facts = { id: '', name: plan.name, attempt: 1, scheduled_time: '' };
  const contexts = expressionContexts(plan, state, facts, needs);
  const steps: Record<string, unknown> = { ...(contexts['steps'] as JsonObject) };
  for (const step of needs) {
    if (!roots.has(step)) continue;
    steps[step] = maybeSkipped.has(step)
      ? unknown.ofStep(step)
      : { ...(steps[step] as JsonObject), ...resultsOf(step, known) };
  }
  return { ...contexts, steps, run: unknown.facts(plan.name, id) } as unknown as JsonObject;
}

/** Of a step of which something is unknown: of one with a matrix, what its entries give. */
function resultsOf(step: StepId, known: Known): JsonObject {
  const { state, matrices } = known;
  const unknown = known.unknown.ofStep(step);
  if (!matrices.has(step)) return { outputs: unknown };
  const { entries = [] } = stepState(state, step);
  // Of a matrix whose values are not known.
  if (entries.length === 0) return { outputs: unknown, matrix: unknown };
  return {
    outputs: entries.map((id) => outputsOf(id, known)),
    matrix: entries.map((id) => stepState(state, id).matrix ?? {}),
  };
}

/** Of an entry; one that would run gives what nobody knows. */
function outputsOf(entry: StepId, { state, unknown, roots }: Known): JsonObject {
  return roots.has(entry) ? unknown.ofStep(entry) : (stepState(state, entry).outputs ?? {});
}
