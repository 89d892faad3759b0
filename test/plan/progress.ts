import type { Plan, StepId, StepState } from '../../plan/plan.ts';
import { RunProgress } from '../../plan/run-progress.ts';
import type { RunEvent } from '../../plan/run-state.ts';

type Stand = Pick<StepState, 'status'> & Partial<StepState>;

/** A run whose steps stand so; what is left out is pending. */
export function progressWith(plan: Plan, stands: Readonly<Record<StepId, Stand>>): RunProgress {
  const progress = new RunProgress();
  progress.apply({ kind: 'planned', plan });
  for (const [step, stand] of Object.entries(stands)) progress.apply(eventOf(step, stand));
  return progress;
}

/** What brings a step where it stands. */
export function eventOf(step: StepId, { status, ...stand }: Stand): RunEvent {
  const { attempt = 1, outputs = {}, error = { type: 'NotFound', message: 'no' } } = stand;
  const at = 5;
  switch (status) {
    case 'running':
      return { kind: 'step-started', step, at };
    case 'cached':
      return { kind: 'step-cached', step, at, outputs };
    case 'completed':
      return { kind: 'step-completed', step, at, attempt, outputs };
    case 'failed':
      return { kind: 'step-failed', step, at, attempt, error };
    case 'skipped':
      return { kind: 'step-skipped', step, note: '' };
    case 'cancelled':
      return { kind: 'step-cancelled', step, at };
    case 'pending':
    case 'paused':
      throw new Error(`no event makes a step ${status}`);
  }
}
