import { lookUp } from '../../store/cache.ts';
import type { Store } from '../../store/store.ts';
import type { JsonObject } from '../../plan/json.ts';
import type { PlanStep, StepId } from '../../plan/plan.ts';
import type { RunEvent } from '../../plan/run-state.ts';
import { stepRequest } from '../../plan/scheduling.ts';
import { isKept } from '../cache-policy.ts';
import { verifiedAnswer } from '../cached-result.ts';
import type { CacheAnswer, CacheState, PrepareRequest } from '../contract.ts';
import type { Preparation } from '../step-preparation.ts';
import type { Outcome } from './outcome.ts';
import { readWhole } from './unknown-values.ts';

/** What is foreseen of a step, and what others have of it. */
export interface Foreseen {
  readonly outcome: Outcome;
  readonly preparation?: Preparation;
  /** Known outputs. */
  readonly outputs?: JsonObject;
  /** Of a step with a matrix: its entries, which are foreseen next. */
  readonly expansion?: readonly RunEvent[];
  /** Whether it runs at all is unknown. */
  readonly isMaybeSkipped?: boolean;
}

/** What the cache is asked of a step, or why its expressions cannot be evaluated. */
export function evaluated(
  step: PlanStep,
  contexts: JsonObject,
  force: boolean,
):
  | { readonly ok: true; readonly request: PrepareRequest }
  | { readonly ok: false; readonly message: string } {
  try {
    const request = stepRequest(step, contexts, force);
    readWhole(request.inputs);
    return { ok: true, request };
  } catch (error) {
    return { ok: false, message: error instanceof Error ? error.message : String(error) };
  }
}

/** The bytes of a large result are read as the run's own activity would. */
export async function verified(
  store: Store,
  prepared: CacheState,
): Promise<CacheAnswer | Extract<CacheState, { kind: 'invalid' }>> {
  if (prepared.kind !== 'unverified') return prepared;
  const { stepId, fingerprint } = prepared;
  return verifiedAnswer(store, stepId, fingerprint, await lookUp(store, fingerprint));
}

/**
 * Of a step that is made to run: the result that there is stands for its own, too, see `publish`.
 * Undefined where none does, or where a step runs for another reason.
 */
export async function outputsOfForced(
  store: Store,
  { effect }: PlanStep,
  request: PrepareRequest,
  { fingerprint }: CacheAnswer,
): Promise<JsonObject | undefined> {
  if (!request.force || effect === 'external') return undefined;
  const found = await lookUp(store, fingerprint);
  return found.hit && isKept(request, found.entry) ? found.entry.outputs : undefined;
}

export function failing(message: string): Foreseen {
  return { outcome: { kind: 'fail', reasons: [message] } };
}

export function unasked(reason: string): Foreseen {
  return { outcome: { kind: 'unknown', until: [], reasons: [reason] } };
}

/** How the run goes on with it. */
export function eventOf(step: StepId, { outcome, outputs = {} }: Foreseen): RunEvent {
  const ended = { step, at: 0 } as const;
  switch (outcome.kind) {
    case 'hit':
      return { kind: 'step-cached', ...ended, outputs };
    case 'skip':
      return { kind: 'step-skipped', step, note: outcome.reasons[0] ?? '' };
    case 'fail': {
      const error = { type: 'InvalidInput', message: outcome.reasons[0] ?? '' };
      return { kind: 'step-failed', ...ended, attempt: 0, error };
    }
    case 'run':
    case 'unknown':
      return { kind: 'step-completed', ...ended, attempt: 1, outputs };
  }
}
