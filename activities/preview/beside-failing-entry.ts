import type { MatrixStep } from '../../plan/matrix.ts';
import type { Plan, RunState, StepId } from '../../plan/plan.ts';
import { stepState } from '../../plan/run-state.ts';
import type { Outcome } from './outcome.ts';

/**
 * What becomes of an entry when another one of its matrix would fail and end the others; undefined
 * where it has ended before. One at a time their order tells; else how soon one fails nobody knows.
 */
export function besideFailingEntry(
  entry: StepId,
  { id, strategy }: MatrixStep,
  { maxParallel }: Plan,
  state: RunState,
): Exclude<Outcome, { kind: 'hit' }> | undefined {
  const { status } = stepState(state, entry);
  if (status === 'failed') return undefined;
  if (strategy.maxParallel === 1 || maxParallel === 1) {
    const reasons = ['another entry would fail'];
    return status === 'pending' ? { kind: 'skip', reasons } : undefined;
  }
  const { entries = [] } = stepState(state, id);
  const until = entries.filter((other) => stepState(state, other).status === 'failed');
  const reasons = until.map(
    (failing) => `'${failing}' would fail, which cancels what has not ended`,
  );
  return { kind: 'unknown', until, reasons };
}
