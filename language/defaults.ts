import type { RetryPolicy } from '../plan/plan.ts';

/** What a file that says nothing of it gets. */
export const DEFAULT_RETRY: RetryPolicy = {
  maxAttempts: 5,
  backoffMs: 2000,
  maxBackoffMs: 300_000,
};
export const DEFAULT_ON_FAILURE = 'fail';
export const DEFAULT_PAUSE_TIMEOUT_MS = 86_400_000;
export const DEFAULT_MAX_PARALLEL = 16;
export const DEFAULT_RUNS_ON = 'cpu';

/** Temporal takes no shorter catch-up window. */
export const MIN_CATCHUP_WINDOW_MS = 10_000;
export const DEFAULT_SCHEDULE = {
  timezone: 'UTC',
  overlap: 'skip',
  catchupWindowMs: 300_000,
  jitterMs: 0,
  pauseOnFailure: false,
} as const;
