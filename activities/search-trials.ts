import { Failure } from '../plan/failures.ts';
import type { JsonObject, JsonValue } from '../plan/json.ts';
import { rungSteps } from '../plan/search/halving.ts';
import { placeName, type SearchStrategy, type Trial } from '../plan/search/strategy.ts';
import { putArtifact } from '../store/artifacts.ts';
import { lookUp, publish } from '../store/cache.ts';
import type { ArtifactDigest, Store } from '../store/store.ts';
import { pruneCheckpoints } from '../training/checkpoints/checkpoint-store.ts';
import type { ActivityDependencies } from './activities.ts';
import { isKept } from './cache-policy.ts';
import type {
  EndSearchInput,
  EndSearchResult,
  CacheState,
  PrepareTrialInput,
  PruneTrialsInput,
} from './contract.ts';
import { controlFailure } from './failures.ts';
import { prepareStep } from './step-preparation.ts';
import { warnOfDamage } from './verify-hit.ts';

/** Of results that are verified in passing. */
const BYTES_A_TRIAL = 4 * 2 ** 20;

/** The fingerprint of a trial at a rung, and what the cache holds for it. */
export async function prepareTrial(
  dependencies: ActivityDependencies,
  { request }: PrepareTrialInput,
): Promise<CacheState> {
  try {
    const { answer } = await prepareStep(dependencies, request, { bytes: BYTES_A_TRIAL });
    warnOfDamage(answer);
    return answer;
  } catch (error) {
    throw controlFailure(error);
  }
}

/** Writes the table of a search's trials, and publishes the best one's outputs as the step's own. */
export async function endSearch(
  { store }: ActivityDependencies,
  { request, search, fingerprint, trials, best }: EndSearchInput,
): Promise<EndSearchResult> {
  try {
    const chosen = trials.find(({ number }) => number === best);
    const found = await lookUp(store, chosen?.rungs.at(-1)?.fingerprint ?? '');
    if (!found.hit) {
      throw new Failure(
        'Internal',
        `the result of trial ${best} is gone (${found.reason}): submit the run again, which makes it again`,
      );
    }
    const { kind, version, inputs, upstream } = request;
    const result = {
      ...{ fingerprint, kind: `${kind}@${version}`, inputs, createdAt: Date.now() },
      outputs: {
        ...found.entry.outputs,
        trials: await putTable(store, search, trials, best),
        best_trial: best,
        best_parameters: parametersOf(search, chosen?.values ?? []),
      },
      ...(upstream !== undefined && { upstream }),
    };
    const { entry } = await publish(store, result, (before) => isKept(request, before));
    return { outputs: entry.outputs };
  } catch (error) {
    throw controlFailure(error);
  }
}

/** Deletes the checkpoints of trials that do not go on. */
export async function pruneTrials(
  { store }: ActivityDependencies,
  { checkpointKeys }: PruneTrialsInput,
): Promise<void> {
  try {
    for (const key of checkpointKeys) await pruneCheckpoints(store, key);
  } catch (error) {
    throw controlFailure(error);
  }
}

/** A row a trial: trials.jsonl, in the order of their numbers. */
async function putTable(
  store: Store,
  search: SearchStrategy,
  trials: readonly Trial[],
  best: number,
): Promise<ArtifactDigest> {
  const { metric, goal, sampler, seed } = search;
  const rows = trials.map((trial) => JSON.stringify(rowOf(search, trial)));
  return putArtifact(store, {
    type: 'trials',
    metadata: { metric, goal, sampler, seed, trials: trials.length, best_trial: best },
    files: { 'trials.jsonl': new TextEncoder().encode(`${rows.join('\n')}\n`) },
  });
}

function rowOf(search: SearchStrategy, { number, values, rungs, failure }: Trial): JsonObject {
  const steps = search.scheduler && rungSteps(search.scheduler);
  const status = failure === undefined ? 'completed' : 'failed';
  return {
    ...{ trial: number, status, parameters: parametersOf(search, values) },
    value: rungs.at(-1)?.value ?? null,
    rungs: rungs.map(({ value, fingerprint }, rung) => ({
      ...(steps !== undefined && { steps: steps[rung] ?? null }),
      ...{ value, fingerprint },
    })),
    ...(failure !== undefined && { failure }),
  };
}

function parametersOf({ parameters }: SearchStrategy, values: readonly JsonValue[]): JsonObject {
  return Object.fromEntries(
    parameters.map(({ path }, index) => [placeName(path), values[index] ?? null]),
  );
}
