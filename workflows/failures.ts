import {
  ActivityFailure,
  ApplicationFailure,
  ChildWorkflowFailure,
  TimeoutFailure,
} from '@temporalio/common';
import type { FailureDetails } from '../activities/contract.ts';
import type { StepError } from '../plan/plan.ts';

export interface StepFailure {
  readonly error: StepError;
  readonly attempt: number;
  /** The artifact that could not be read, when its producer can bring it back. */
  readonly artifact?: string;
}

/** What went wrong in a step, out of Temporal's nesting of causes. */
export function stepFailure(error: unknown): StepFailure {
  const isWrapped = error instanceof ActivityFailure || error instanceof ChildWorkflowFailure;
  const cause = isWrapped ? error.cause : error;
  if (cause instanceof ApplicationFailure) {
    const details = cause.details?.[0] as FailureDetails | undefined;
    return {
      error: { type: cause.type ?? 'Internal', message: cause.message },
      attempt: details?.attempt ?? 1,
      ...(details?.artifact !== undefined && { artifact: details.artifact }),
    };
  }
  if (cause instanceof TimeoutFailure) {
    return {
      error: { type: 'Internal', message: `temporal: ${cause.timeoutType} time-out` },
      attempt: 1,
    };
  }
  const message = cause instanceof Error ? cause.message : String(cause);
  return { error: { type: 'Internal', message }, attempt: 1 };
}

/** What a child workflow ends with, so that `stepFailure` of its parent finds the same. */
export function workflowFailure({ error, attempt, artifact }: StepFailure): ApplicationFailure {
  const details: FailureDetails = { attempt, ...(artifact !== undefined && { artifact }) };
  const failure = ApplicationFailure.create({
    ...{ type: error.type, message: error.message },
    ...{ nonRetryable: true, details: [details] },
  });
  failure.stack = '';
  return failure;
}
