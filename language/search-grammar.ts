import { z } from 'zod';
import { DISTRIBUTIONS, GOALS, MAX_TRIALS, SAMPLERS } from '../plan/search/strategy.ts';
import { DURATION } from './checks/duration.ts';
import { MAX_PARALLEL } from './checks/limit.ts';
import { DEFAULT_SEARCH } from './defaults.ts';
import { NO_EXPRESSION } from './expression-text.ts';

// The keys of a search, as those of the file in grammar.ts.

const text = z.string().regex(NO_EXPRESSION);
const duration = z.string().regex(DURATION);

export const SEARCH_PARAMETER = z.strictObject({
  values: z.array(z.unknown()).min(1).optional().describe('the only values that it may have'),
  min: z.number().optional().describe('least value, of a range'),
  max: z.number().optional().describe('greatest value, of a range'),
  distribution: z
    .enum(DISTRIBUTIONS)
    .optional()
    .describe(
      'how numbers of the range are drawn: uniform, log_uniform (by their logarithm) or int; without it uniform',
    ),
});

export const SEARCH_SCHEDULER = z.strictObject({
  type: z.enum(['asha']).describe('asha: successive halving, rung by rung'),
  eta: z
    .int()
    .min(2)
    .max(100)
    .default(DEFAULT_SEARCH.eta)
    .describe('one trial in so many goes on to the next rung, which is so many times as long'),
  min_steps: z.int().min(1).describe('optimizer steps of the first rung, at least'),
  max_steps: z
    .int()
    .min(1)
    .describe("optimizer steps of the last rung, and of every trial's learning rate schedule"),
  asynchronous: z
    .literal(false)
    .default(false)
    .describe('true is not built: a rung is decided when all of its trials have ended'),
});

export const SEARCH_BUDGET = z.strictObject({
  steps: z
    .int()
    .min(1)
    .optional()
    .describe('optimizer steps of all trials together; no trial begins that would pass it'),
  time: duration
    .optional()
    .describe('such as 6h; no trial begins later, so the result depends on how fast it went'),
});

export const SEARCH = z.strictObject({
  metric: text.describe('the number to compare, by its path in the outputs: metrics.eval_loss'),
  goal: z
    .enum(GOALS)
    .optional()
    .describe(
      'which number is best; without it minimize where metric ends in loss, perplexity, mse or mae, else maximize',
    ),
  sampler: z
    .enum(SAMPLERS)
    .default(DEFAULT_SEARCH.sampler)
    .describe(
      'how values are chosen: random; grid, all combinations in order; tpe, by what earlier trials gave',
    ),
  seed: z.int().min(0).default(DEFAULT_SEARCH.seed).describe('of all random choices'),
  max_trials: z
    .int()
    .min(1)
    .max(MAX_TRIALS)
    .optional()
    .describe(`how many trials, 1 to ${MAX_TRIALS}; a grid may leave it out, and then has all`),
  max_parallel: z
    .int()
    .min(1)
    .max(MAX_PARALLEL)
    .default(DEFAULT_SEARCH.maxParallel)
    .describe('trials that run at once; tpe chooses so many at a time'),
  parameters: z
    .record(z.string(), SEARCH_PARAMETER)
    .describe('inputs to try, by their path in `with`: args.learning_rate'),
  scheduler: SEARCH_SCHEDULER.optional().describe(
    'ends bad trials early; without it each is trained to its end',
  ),
  budget: SEARCH_BUDGET.optional().describe('what all trials may take together'),
});
