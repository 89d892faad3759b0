import { ApplicationFailure, isCancellation } from '@temporalio/workflow';
import type { PrepareRequest, RunIdentity } from '../activities/contract.ts';
import type { JsonObject } from '../plan/json.ts';
import type { RetryPolicy } from '../plan/plan.ts';
import { numberAt, numberPaths } from '../plan/search/metric.ts';
import { control, runStep, verifyHit } from './activity-proxies.ts';
import { stepFailure, workflowFailure } from './failures.ts';

export interface TrialInput {
  readonly run: RunIdentity;
  /** Of the step with the trial's own inputs; its id names trial and rung. */
  readonly request: PrepareRequest;
  readonly queue: string;
  readonly retry: RetryPolicy;
  readonly timeoutMs?: number;
  /** Path of the number inside the outputs. */
  readonly metric: string;
}

/** Small: the outputs stay in the store, under the fingerprint. */
export type TrialResult =
  | {
      readonly kind: 'completed';
      readonly fingerprint: string;
      readonly value: number;
      /** Where it left checkpoints to go on from. */
      readonly checkpointKey?: string;
      readonly isCached: boolean;
    }
  /** By what its values are: it would fail again wherever it runs. */
  | { readonly kind: 'failed'; readonly message: string };

/** What a value that was tried can be to blame for. */
const OWN_FAILURES: readonly string[] = ['Diverged', 'InvalidInput'];
const MAX_MESSAGE = 300;

/**
 * One trial of a search up to one rung: fingerprint, cache, and on a miss the activity of the step's
 * kind, as a step of a pipeline has it.
 *
 * @throws ApplicationFailure what the step failed with, when another try could do better
 */
export async function trial(input: TrialInput): Promise<TrialResult> {
  try {
    return await runTrial(input);
  } catch (error) {
    if (isCancellation(error)) throw error;
    const failure = stepFailure(error);
    const { type, message } = failure.error;
    const isOwn = OWN_FAILURES.includes(type) && failure.artifact === undefined;
    if (isOwn && !(error instanceof NoMetric)) {
      return { kind: 'failed', message: `${type}: ${message}`.slice(0, MAX_MESSAGE) };
    }
    throw workflowFailure(failure);
  }
}

async function runTrial(input: TrialInput): Promise<TrialResult> {
  const { request, run, queue, retry, timeoutMs, metric } = input;
  const { stepId } = request;
  const prepared = await control.prepareTrial({ request });
  if (prepared.kind === 'invalid') {
    throw ApplicationFailure.nonRetryable(prepared.error.message, prepared.error.type);
  }
  const { fingerprint, checkpointKey } = prepared;
  const answer =
    prepared.kind === 'unverified' ? await verifyHit({ stepId, fingerprint }) : prepared;
  const limits = { retry, ...(timeoutMs !== undefined && { timeoutMs }) };
  const key = checkpointKey === undefined ? {} : { checkpointKey };
  const done =
    answer.kind === 'hit'
      ? { outputs: answer.outputs, cached: true }
      : await runStep({ run, ...request, fingerprint, ...key, ...limits }, queue);
  const value = metricOf(done.outputs, metric);
  return { kind: 'completed', fingerprint, value, ...key, isCached: done.cached === true };
}

class NoMetric extends ApplicationFailure {}

/** @throws NoMetric, which ends the search: no other trial would have the number either */
function metricOf(outputs: JsonObject, metric: string): number {
  const found = numberAt(outputs, metric);
  if (found !== undefined) return found;
  const paths = numberPaths(outputs);
  const expected = paths.length === 0 ? 'which have no numbers' : `expected ${paths.join(', ')}`;
  const message = `search.metric is '${metric}', and there is no such number in the outputs: ${expected}`;
  throw new NoMetric(message, 'InvalidInput', true);
}
