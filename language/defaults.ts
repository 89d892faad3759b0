import type { RetryPolicy } from '../plan/plan.ts';

/** What a file that says nothing of it gets. */
export const DEFAULT_RETRY: RetryPolicy = {
  maxAttempts: 5,
  backoffMs: 2000,
  maxBackoffMs: 300_000,
};
export const DEFAULT_MAX_PARALLEL = 16;
export const DEFAULT_RUNS_ON = 'cpu';
