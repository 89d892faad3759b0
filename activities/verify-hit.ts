import { log } from '@temporalio/activity';
import { lookUp } from '../store/cache.ts';
import type { ActivityDependencies } from './activities.ts';
import { verifiedAnswer } from './cached-result.ts';
import type { CacheAnswer, PreparedStep, VerifyHitInput } from './contract.ts';
import { controlFailure } from './failures.ts';
import { startHeartbeat } from './heartbeat.ts';

/**
 * Looks in the cache and reads every artifact of the result: seconds for a large model, so not a
 * local activity, which would keep the workflow's own task open.
 */
export async function verifyHit(
  { store }: ActivityDependencies,
  { stepId, fingerprint }: VerifyHitInput,
): Promise<CacheAnswer> {
  const stopHeartbeat = startHeartbeat();
  try {
    const found = await lookUp(store, fingerprint);
    const answer = await verifiedAnswer(store, stepId, fingerprint, found);
    warnOfDamage(answer);
    return answer;
  } catch (error) {
    throw controlFailure(error);
  } finally {
    stopHeartbeat();
  }
}

/** For the worker's log: a result that could not be used any more. */
export function warnOfDamage(answer: PreparedStep): void {
  if (answer.kind !== 'miss' || answer.damage === undefined) return;
  const { stepId, damage } = answer;
  log.warn('a result in the store is damaged: the step runs again', { stepId, damage });
}
