import { inspect } from 'node:util';
import { Context } from '@temporalio/activity';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { Failure, FAILURE_TYPES, type FailureType } from '../plan/failures.ts';
import type { RetryPolicy } from '../plan/plan.ts';
import { systemFailure } from '../plan/system-failure.ts';
import type { FailureDetails } from './contract.ts';
import type { Redactor } from './redactor.ts';

/** Every error a step can end with, as one of the closed set of failures. */
export function toFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  const known = systemFailure(error);
  if (known !== undefined) return known;
  const message = error instanceof Error ? error.message : thrownText(error);
  return new Failure('Internal', message, { cause: error });
}

/** Of what was thrown and is no error. A text of it is not cut: part of a secret would not be recognised. */
function thrownText(thrown: unknown): string {
  if (typeof thrown !== 'object' || thrown === null) return String(thrown);
  const limits = { depth: 3, maxArrayLength: 20, maxStringLength: Infinity };
  return inspect(thrown, { ...limits, compact: true, breakLength: Infinity, customInspect: false });
}

/** Longer messages of failures lose their middle: some objects that are thrown hold a whole answer. */
const MESSAGE_START = 8000;
const MESSAGE_END = 2000;

function withBoundedMessage(failure: Failure): Failure {
  const { type, message, cause, stack, retryAfterMs } = failure;
  if (message.length <= MESSAGE_START + MESSAGE_END) return failure;
  const cut = `${message.slice(0, MESSAGE_START)} … ${message.slice(-MESSAGE_END)}`;
  const bounded = new Failure(type, cut, {
    ...(cause !== undefined && { cause }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
  bounded.stack = stack?.replace(message, () => cut) ?? '';
  return bounded;
}

/** What ended an attempt: a failure without any secret, or its cancellation as it is. */
export function endOfAttempt(error: unknown, redactor: Redactor): Failure | CancelledFailure {
  if (!(error instanceof CancelledFailure)) {
    return withBoundedMessage(redactor.failure(toFailure(error)));
  }
  if (error.message !== 'WORKER_SHUTDOWN') return error;
  return new Failure('ShuttingDown', 'the worker is shutting down');
}

/** What says nothing of the step never counts. */
const UNCOUNTED: readonly FailureType[] = ['ShuttingDown', 'WorkerMismatch', 'ComputedElsewhere'];

function countsAsReported({ type }: Failure): boolean {
  return !UNCOUNTED.includes(type);
}

const HAND_OVER_DELAY_MS = 1_000;

/**
 * The failure as Temporal sees it: whether it retries and after how long.
 *
 * @param reported failures that the step reported so far in this run, this one included
 */
export function toApplicationFailure(
  failure: Failure,
  options: { retry: RetryPolicy; reported: number; attempt: number; artifact?: string },
): ApplicationFailure {
  const { retry, reported, attempt, artifact } = options;
  const details: FailureDetails = { attempt, ...(artifact !== undefined && { artifact }) };
  const counts = countsAsReported(failure);
  // An artifact that cannot be read comes back from its producer, not from another try here.
  const retryable =
    FAILURE_TYPES[failure.type].retryable &&
    artifact === undefined &&
    (!counts || reported < retry.maxAttempts);
  const exhausted = counts && !retryable && FAILURE_TYPES[failure.type].retryable;
  // Of attempts before an input was made again, and of one that was thought lost, there may be more.
  const attempts =
    reported > retry.maxAttempts
      ? `${reported} attempts; max_attempts is ${retry.maxAttempts}`
      : `${reported} of ${retry.maxAttempts} attempts`;
  return ApplicationFailure.create({
    type: failure.type,
    message:
      exhausted && artifact === undefined && reported > 1
        ? `${failure.message} (${attempts})`
        : failure.message,
    nonRetryable: !retryable,
    details: [details],
    ...(retryable && {
      nextRetryDelay: counts ? retryDelayMs(failure, retry, reported) : HAND_OVER_DELAY_MS,
    }),
    cause: failure,
  });
}

/** A failure that the ledger could not take: it never uses up `max_attempts`. */
export function uncounted(failure: Failure, retry: RetryPolicy): ApplicationFailure {
  const { attempt } = Context.current().info;
  const unlimited = { ...retry, maxAttempts: Infinity };
  return toApplicationFailure(failure, { retry: unlimited, reported: attempt, attempt });
}

/** backoff × 2^(n-1) up to max_backoff, or what the source asked for. */
function retryDelayMs(failure: Failure, retry: RetryPolicy, reported: number): number {
  if (failure.retryAfterMs !== undefined) return failure.retryAfterMs;
  return Math.min(retry.maxBackoffMs, retry.backoffMs * 2 ** (reported - 1));
}

/** A failure of a control activity: what the person wrote never becomes right by trying again. */
export function controlFailure(error: unknown): Error {
  if (error instanceof CancelledFailure || error instanceof ApplicationFailure) return error;
  const failure = toFailure(error);
  return ApplicationFailure.create({
    type: failure.type,
    message: failure.message,
    nonRetryable: !FAILURE_TYPES[failure.type].retryable,
    cause: failure,
  });
}
