import type { RunState, StepId } from '../plan/plan.ts';
import { orderedSteps } from '../plan/run-state.ts';
import type { AttemptRecord } from '../store/ledger.ts';
import type { RunRecord } from '../store/runs.ts';
import { stepRemark } from './output.ts';

/** Something that happened to a run. */
export interface RunEvent {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** The step, or '' for the run itself. */
  readonly step: StepId;
  readonly text: string;
}

/**
 * What is known of what happened to a run, in order: its record has what became of each step, the
 * ledger each attempt.
 *
 * @param state as it is now; the record's may be older
 */
export function runEvents(
  record: RunRecord,
  state: RunState,
  attempts: readonly AttemptRecord[],
): readonly RunEvent[] {
  const { submittedAt, endedAt } = record;
  const own = attempts.filter(({ executionRunId }) => executionRunId === record.executionRunId);
  const attempted = new Set(own.map(({ step }) => step));
  const events: RunEvent[] = [
    { at: submittedAt, step: '', text: 'submitted' },
    ...own.flatMap(attemptEvents),
    ...orderedSteps(state).flatMap(([step, { status, endedAt: at, ...rest }]) => {
      // Of an attempt the ledger tells more.
      if (at === undefined || (attempted.has(step) && status !== 'cached')) return [];
      const remark = stepRemark({ status, ...rest });
      return [{ at, step, text: remark === '' ? status : `${status}: ${remark}` }];
    }),
  ];
  if (endedAt !== undefined) {
    const reason = state.error === undefined ? '' : `: ${state.error.message}`;
    events.push({ at: endedAt, step: '', text: `${state.status}${reason}` });
  }
  // Sorting is stable: what happened in one millisecond stays as it stands above.
  return events.sort((a, b) => a.at - b.at);
}

function attemptEvents(attempt: AttemptRecord): readonly RunEvent[] {
  const { step, worker, startedAt, endedAt, outcome, failure } = attempt;
  const name = `attempt ${attempt.attempt}`;
  const { resumedFromStep: from, firstOptimizerStep, lastOptimizerStep } = attempt;
  const resumed = from ? `, from the checkpoint of step ${from}` : '';
  const place = `on ${worker.host}, process ${worker.pid}`;
  const last = lastOptimizerStep ? ` after optimizer step ${lastOptimizerStep.step}` : '';
  const why = failure ? `: ${failure.type}: ${failure.message}` : '';
  return [
    { at: startedAt, step, text: `${name} of ${attempt.kind} starts ${place}` },
    ...(firstOptimizerStep === undefined
      ? []
      : [{ at: firstOptimizerStep.at, step, text: `${name} trains${resumed}` }]),
    ...(endedAt === undefined
      ? []
      : [{ at: endedAt, step, text: `${name}: ${outcome ?? 'ended'}${last}${why}` }]),
  ];
}
