import type { JsonObject } from '../plan/json.ts';
import { placeName, type SearchParameter, type SearchStrategy } from '../plan/search/strategy.ts';

/**
 * All of a search that decides over its result, under the keys that a file has. How many trials run
 * at once does only with tpe, which chooses as many before it has their results.
 */
export function searchIdentity(search: SearchStrategy): JsonObject {
  const { metric, goal, sampler, seed, maxTrials, maxParallel, parameters } = search;
  const { scheduler, budget } = search;
  return {
    ...{ metric, goal, sampler, seed, max_trials: maxTrials },
    ...(sampler === 'tpe' && { max_parallel: maxParallel }),
    parameters: parameters.map(parameterIdentity),
    ...(scheduler && {
      scheduler: {
        ...{ type: 'asha', eta: scheduler.eta },
        ...{ min_steps: scheduler.minSteps, max_steps: scheduler.maxSteps },
      },
    }),
    ...(budget && {
      budget: {
        ...(budget.steps !== undefined && { steps: budget.steps }),
        ...(budget.timeMs !== undefined && { time_ms: budget.timeMs }),
      },
    }),
  };
}

function parameterIdentity(parameter: SearchParameter): JsonObject {
  const name = placeName(parameter.path);
  if (parameter.kind === 'values') return { name, values: parameter.values };
  const { min, max, distribution } = parameter;
  return { name, min, max, distribution };
}
