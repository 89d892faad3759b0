import { CancelledFailure, Context } from '@temporalio/activity';
import type { Failure } from '../plan/failures.ts';
import { revisionActivity } from '../plan/names.ts';
import { countReportedFailures } from '../store/ledger.ts';
import type { Store } from '../store/store.ts';
import type { ActivityDependencies } from './activities.ts';
import { AttemptEntry, outcomeOf } from './attempt-entry.ts';
import { bindSecrets } from './bound-inputs.ts';
import type { ResolveSourceInput, ResolveSourceResult } from './contract.ts';
import { declarationOf } from './declaration.ts';
import { endOfAttempt, toApplicationFailure, uncounted } from './failures.ts';
import { guardedStore, requireNoSecret } from './guarded-store.ts';
import { startHeartbeat } from './heartbeat.ts';
import { upstreamRevision } from './upstream.ts';

/** Asks upstream which revision a source step's inputs name now. */
export async function resolveSource(
  dependencies: ActivityDependencies,
  input: ResolveSourceInput,
): Promise<ResolveSourceResult> {
  const { redactor } = dependencies;
  const step = declarationOf(dependencies.catalog, input);
  const { store, env, workRoot } = dependencies;
  const activity = Context.current();
  const startedAt = Date.now();
  const stopHeartbeat = startHeartbeat();
  try {
    const { inputs, secrets } = await bindSecrets(input, dependencies);
    const upstream = await upstreamRevision(step, inputs, {
      ...{ store: guardedStore(store, secrets), env, workRoot },
      signal: AbortSignal.any([activity.cancellationSignal, dependencies.shutdown]),
      run: { ...input.run, stepId: input.stepId },
    });
    requireNoSecret(secrets, { upstream }, 'the revision that upstream names');
    return { upstream };
  } catch (error) {
    const end = endOfAttempt(error, redactor);
    throw await endFailedLookUp(store, input, startedAt, end);
  } finally {
    stopHeartbeat();
  }
}

/** Only a look-up that failed is in the ledger: for `max_attempts`, which lost workers do not count to. */
async function endFailedLookUp(
  store: Store,
  input: ResolveSourceInput,
  startedAt: number,
  end: Failure | CancelledFailure,
): Promise<unknown> {
  if (end instanceof CancelledFailure) return end;
  const { retry } = input;
  try {
    const stepId = revisionActivity(input.stepId);
    const entry = await AttemptEntry.open(store, { ...input, stepId, startedAt });
    await entry.end({ endedAt: Date.now(), ...outcomeOf(end) });
    const { attempt, ...step } = entry.key;
    const reported = await countReportedFailures(store, step, input.countedAfter);
    return toApplicationFailure(end, { retry, reported, attempt });
  } catch {
    return uncounted(end, retry);
  }
}
