import { evaluateCondition, evaluateTemplate, stepResult } from './expressions.ts';
import type { JsonObject } from './json.ts';
import type { CachePolicy, Plan, PlanStep, RunState, StepId, StepState } from './plan.ts';
import { evaluateInputs, type SecretInput } from './secret-inputs.ts';
import type { Circumstances } from './run-progress.ts';
import type { SearchStrategy } from './search/strategy.ts';
import { dependentsOf, hasEnded, stepState } from './run-state.ts';

/** What a ready step does next. */
export type Admission =
  | { kind: 'run'; step: PlanStep }
  | { kind: 'skip'; step: PlanStep; note: string }
  | { kind: 'invalid'; step: PlanStep; message: string };

export interface RunFacts {
  readonly id: string;
  readonly name: string;
  /** Submission of the run, from 1. */
  readonly attempt: number;
  /** ISO 8601; the time a schedule meant, or the start. */
  readonly scheduled_time: string;
}

/**
 * The contexts that `${{ }}` may read, from what has ended so far.
 *
 * @param read the steps in them: a step reads no others than those that it needs
 */
export function expressionContexts(
  { params, env }: Plan,
  state: RunState,
  run: RunFacts,
  read: readonly StepId[],
): JsonObject {
  const steps = Object.fromEntries(
    read
      .map((id) => [id, stepState(state, id)] as const)
      .filter(([, step]) => hasEnded(step))
      .map(([id, step]) => [
        id,
        { ...resultsOf(step, state), result: stepResult(step.status) ?? '' },
      ]),
  );
  return { params, env, steps, run: { ...run } };
}

/** What a step gave; one with a matrix gives lists, in the order of its entries. */
function resultsOf({ outputs = {}, entries }: StepState, state: RunState): JsonObject {
  if (entries === undefined) return { outputs };
  const states = entries.map((id) => stepState(state, id));
  return {
    outputs: states.map((entry) => entry.outputs ?? {}),
    matrix: states.map((entry) => entry.matrix ?? {}),
  };
}

/**
 * Decides over a step whose needs have all ended, as GitHub Actions does: without an `if` it runs
 * when every need succeeded; status functions in the `if` lift that. After a failure anywhere in
 * the run only steps whose `if` asks for `always()` or `failure()` still start.
 */
export function admit(
  step: PlanStep,
  circumstances: Circumstances,
  contexts: JsonObject,
): Admission {
  const { unmet, failedAbove, failed } = circumstances;
  try {
    const condition = evaluateCondition(step.if ?? 'success()', contexts, {
      success: unmet === undefined && failed.length === 0,
      failure: failedAbove !== undefined,
      cancelled: false,
    });
    if (condition) return { kind: 'run', step };
  } catch (error) {
    return {
      kind: 'invalid',
      step,
      message: error instanceof Error ? error.message : String(error),
    };
  }
  return { kind: 'skip', step, note: skipNote(step, circumstances) };
}

/** A step about to start, as the cache is asked for it. */
export interface StepRequest {
  readonly stepId: StepId;
  readonly kind: string;
  readonly version: number;
  readonly revision: number;
  /** @see PlanStep.source */
  readonly source?: string;
  /** Evaluated `with`, defaults not yet filled in, with a stand-in for each text in `secrets`. */
  readonly inputs: JsonObject;
  /** What only the worker that runs the step can put in. */
  readonly secrets?: readonly SecretInput[];
  /** Evaluated `runs_on`. */
  readonly label: string;
  /** Do not look in the cache. */
  readonly force: boolean;
  readonly cache?: CachePolicy;
  /** Over which inputs it is run, to take the best. */
  readonly search?: SearchStrategy;
}

/** @throws Error when an expression cannot be evaluated, or `runs_on` gives no worker label */
export function stepRequest(step: PlanStep, contexts: JsonObject, force: boolean): StepRequest {
  const { inputs, secrets } = evaluateInputs(step.with, contexts);
  const label = evaluateTemplate(step.runsOn, contexts);
  if (typeof label !== 'string' || !/^[A-Za-z0-9_.-]+$/.test(label)) {
    throw new Error(
      `runs_on: found ${JSON.stringify(label)}, expected a worker label such as 'cpu'`,
    );
  }
  const { id: stepId, kind, version, revision, source, cache, search } = step;
  const known = { stepId, kind, version, revision, ...(source !== undefined && { source }) };
  return {
    ...{ ...known, inputs, label, force },
    ...(secrets.length > 0 && { secrets }),
    ...(cache !== undefined && { cache }),
    ...(search !== undefined && { search }),
  };
}

/** Steps that a submission asks to run again whatever the cache holds. */
export function forcedSteps(
  plan: Plan,
  { from, force }: { readonly from?: StepId; readonly force?: boolean },
): ReadonlySet<StepId> {
  if (force) return new Set(plan.steps.map((step) => step.id));
  return dependentsOf(plan, new Set(from === undefined ? [] : [from]));
}

function skipNote(step: PlanStep, { unmet, failedAbove, failed }: Circumstances): string {
  const cause = failedAbove ?? failed[0];
  if (cause !== undefined) return `not run: step '${cause}' failed`;
  if (unmet !== undefined) return `not run: step '${unmet.id}' was ${unmet.status}`;
  return `not run: if '${step.if ?? 'success()'}' is false`;
}
