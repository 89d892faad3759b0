import type { JsonValue } from '../../../plan/json.ts';
import type { SearchStrategy, Trial } from '../../../plan/search/strategy.ts';

/** A search of twenty trials, with what a test says otherwise. */
export function searchOf(given: Partial<SearchStrategy>): SearchStrategy {
  return {
    ...{ metric: 'metrics.eval_loss', goal: 'minimize', sampler: 'random', seed: 42 },
    ...{ maxTrials: 20, maxParallel: 4, parameters: [] },
    ...given,
  };
}

/** A trial that has ended the rungs that there are values of. */
export function valueOfTrial(
  number: number,
  values: readonly JsonValue[],
  ...results: readonly number[]
): Trial {
  return {
    ...{ number, values },
    rungs: results.map((value, rung) => ({ fingerprint: `${number}-${rung}`, value })),
  };
}
