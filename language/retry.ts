import type { RetryPolicy } from '../plan/plan.ts';
import { keysOfPart, RETRY } from './grammar.ts';
import type { LocatedEntry } from './located.ts';
import { valueRange } from './located.ts';
import type { Reporter } from './reporter.ts';
import type { Range } from './source-text.ts';
import { formatDuration, readDuration } from './checks/duration.ts';
import { MAX_ATTEMPTS, readCount } from './checks/limit.ts';
import { checkUnknownKeys } from './checks/unknown-key.ts';
import { readMap } from './checks/value-type.ts';

/**
 * `retry: { max_attempts, backoff, max_backoff }`; what is left out comes from `inherited`.
 * Rules `limit` and `duration`.
 */
export function readRetry(
  entry: LocatedEntry | undefined,
  inherited: RetryPolicy,
  reporter: Reporter,
): RetryPolicy {
  const map = readMap(entry, 'a map such as { max_attempts: 5, backoff: 2s }', reporter);
  if (entry === undefined || map === undefined) return inherited;
  checkUnknownKeys(map, keysOfPart(RETRY), "'retry'", reporter);
  const attempts = { minimum: 1, maximum: MAX_ATTEMPTS };
  const maxAttempts = readCount(map.entries.get('max_attempts'), attempts, reporter);
  const backoffMs = readDuration(map.entries.get('backoff'), 0, reporter);
  const maxBackoffMs = readDuration(map.entries.get('max_backoff'), 0, reporter);
  const policy: RetryPolicy = {
    maxAttempts: maxAttempts ?? inherited.maxAttempts,
    backoffMs: backoffMs ?? inherited.backoffMs,
    maxBackoffMs: maxBackoffMs ?? Math.max(inherited.maxBackoffMs, backoffMs ?? 0),
  };
  checkOrder(policy, valueRange(map.entries.get('backoff') ?? entry), reporter);
  return policy;
}

function checkOrder(
  { backoffMs, maxBackoffMs }: RetryPolicy,
  range: Range,
  reporter: Reporter,
): void {
  if (backoffMs <= maxBackoffMs) return;
  const message = `'backoff' is ${formatDuration(backoffMs)}; expected at most 'max_backoff', ${formatDuration(maxBackoffMs)}`;
  reporter.error('duration', range, message);
}
