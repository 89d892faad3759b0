import { z } from 'zod';
import { DURATION, formatDuration } from './checks/duration.ts';
import { MAX_ATTEMPTS, MAX_PARALLEL } from './checks/limit.ts';
import { MAX_LENGTH, NAME_FORMS } from './checks/name.ts';
import { LABEL } from './checks/runs-on.ts';
import {
  DEFAULT_MAX_PARALLEL,
  DEFAULT_ON_FAILURE,
  DEFAULT_PAUSE_TIMEOUT_MS,
  DEFAULT_RETRY,
  DEFAULT_RUNS_ON,
  DEFAULT_SCHEDULE,
  MIN_CATCHUP_WINDOW_MS,
} from './defaults.ts';
import { EXPRESSION, NO_EXPRESSION } from './expression-text.ts';
import { PARAM_TYPES } from './params.ts';
import { SEARCH } from './search-grammar.ts';

// The keys of a pipeline file, part by part: what each holds, its default and its meaning. The checks
// take the known keys from here, and pipelines/pipeline.schema.json and the reference page all of it.

export const ON_FAILURE = ['fail', 'pause'] as const;
export const OVERLAPS = ['skip', 'buffer_one', 'cancel_other', 'allow'] as const;

const text = z.string().regex(NO_EXPRESSION);
const duration = z.string().regex(DURATION);
const expression = z.string().regex(EXPRESSION);
const nameOf = (what: keyof typeof NAME_FORMS): z.ZodString =>
  z.string().regex(NAME_FORMS[what].pattern).max(MAX_LENGTH);

export const RETRY = z.strictObject({
  max_attempts: z
    .int()
    .min(1)
    .max(MAX_ATTEMPTS)
    .default(DEFAULT_RETRY.maxAttempts)
    .describe(
      `failures that a step may report in one execution of the run, 1 to ${MAX_ATTEMPTS}; an attempt that is lost with its worker never counts`,
    ),
  backoff: duration
    .default(formatDuration(DEFAULT_RETRY.backoffMs))
    .describe('wait before the second attempt, such as 500ms, 2s or 1m; it doubles with each'),
  max_backoff: duration
    .default(formatDuration(DEFAULT_RETRY.maxBackoffMs))
    .describe('longest wait between two attempts'),
});

const runsOn = z.union([z.string().regex(LABEL), expression]).default(DEFAULT_RUNS_ON);
const onFailure = z.enum(ON_FAILURE).default(DEFAULT_ON_FAILURE);
const pauseTimeout = duration.default(formatDuration(DEFAULT_PAUSE_TIMEOUT_MS));
const PAUSED = 'the run fails too, or it pauses until somebody says retry or skip';

export const DEFAULTS = z.strictObject({
  retry: RETRY.optional().describe('attempts of every step, and the wait between them'),
  on_failure: onFailure.describe(`what becomes of the run when a step fails: ${PAUSED}`),
  pause_timeout: pauseTimeout.describe(
    'how long a step that pauses waits for somebody, before it has failed after all',
  ),
  max_parallel: z
    .int()
    .min(1)
    .max(MAX_PARALLEL)
    .default(DEFAULT_MAX_PARALLEL)
    .describe(`steps of the run that may be under way at a time, 1 to ${MAX_PARALLEL}`),
  timeout: duration.optional().describe('of one attempt of every step; none without it'),
  runs_on: runsOn.describe('label of the workers for every step of a kind that trains'),
});

export const PARAM = z.strictObject({
  type: z
    .enum(PARAM_TYPES)
    .optional()
    .describe(
      `${PARAM_TYPES.join(', ')}; without it that of the default, or of the first value of enum`,
    ),
  default: z.unknown().optional().describe('the value that counts when a submission gives none'),
  description: text.optional().describe('what the param is for'),
  minimum: z.number().optional().describe('least value, of an integer or a number'),
  maximum: z.number().optional().describe('greatest value, of an integer or a number'),
  enum: z
    .array(z.union([z.string(), z.number(), z.boolean()]))
    .min(1)
    .optional()
    .describe('the only values that it may have; not for lists'),
  pattern: text
    .optional()
    .describe(
      'regular expression that a string has to match, anywhere unless ^ and $ say otherwise',
    ),
});

const values = z.union([z.array(z.unknown()), expression]);
const maps = z.union([z.array(z.record(nameOf('matrix'), z.unknown())), expression]);

export const STRATEGY = z.strictObject({
  matrix: z
    .record(nameOf('matrix'), values)
    .optional()
    .describe(
      'lists to combine, each written out or an expression that gives one: a param, or an output of an earlier step',
    ),
  include: maps
    .optional()
    .describe(
      'maps of values to add: to the combinations that agree with the map, or as an entry of its own where none does',
    ),
  exclude: maps
    .optional()
    .describe('combinations to leave out: those that have all the values of one of these maps'),
  max_parallel: z
    .int()
    .min(1)
    .max(MAX_PARALLEL)
    .optional()
    .describe("entries that run at once, within the run's own limit"),
  fail_fast: z
    .boolean()
    .default(true)
    .describe(
      'the first failure cancels the other entries; with false all run, and the step fails at the end',
    ),
  search: SEARCH.optional().describe(
    'in place of a matrix: looks for the inputs of a training whose result is best',
  ),
});

export const CACHE = z.strictObject({
  enabled: z
    .boolean()
    .default(true)
    .describe('with false the step runs in every run, and its newest result is the one kept'),
  max_age: duration
    .optional()
    .describe('an older result is not used but made again, such as 7d; without it none is too old'),
  ignore: z
    .array(text)
    .optional()
    .describe(
      'inputs that make no difference to the result, such as args.logging_steps: a result made with other values of them is used too',
    ),
});

export const STEP = z.strictObject({
  uses: text.describe('kind of the step, and its version: train@1'),
  with: z
    .record(z.string(), z.unknown())
    .optional()
    .describe("the kind's inputs; values may be expressions, keys may not"),
  needs: z
    .union([text, z.array(text)])
    .optional()
    .describe('steps that must end first, where no expression says so already'),
  if: z
    .union([z.string().min(1), z.boolean(), z.number()])
    .default('success()')
    .describe('condition on which the step runs: an expression, with or without `${{ }}`'),
  strategy: STRATEGY.optional().describe(
    'a matrix: the step runs once for each combination of values; or a search, for the best ones',
  ),
  runs_on: runsOn.describe('label of the workers, for kinds that train only'),
  retry: RETRY.optional().describe('attempts, and the wait between them'),
  timeout: duration
    .optional()
    .describe(
      'of one attempt, such as 30m or 6h; training writes a checkpoint first, so the next attempt goes on from there; none without it',
    ),
  on_failure: onFailure.describe(`what becomes of the run when this step fails: ${PAUSED}`),
  pause_timeout: pauseTimeout.describe(
    'how long it waits for somebody when it pauses, before it has failed after all',
  ),
  cache: CACHE.optional().describe('when an earlier result of the step is used instead of a run'),
  description: text.optional().describe('what the step is for'),
});

export const SCHEDULE = z.strictObject({
  cron: text.describe('five cron fields, @daily and the like, or @every 12h (whole seconds)'),
  timezone: text.default(DEFAULT_SCHEDULE.timezone).describe('IANA name, such as Europe/Paris'),
  overlap: z
    .enum(OVERLAPS)
    .default(DEFAULT_SCHEDULE.overlap)
    .describe(
      `when the run before is still going on: ${OVERLAPS.join(', ')} (leave this one out, start it after, cancel the one before, run both)`,
    ),
  catchup_window: duration
    .default(formatDuration(DEFAULT_SCHEDULE.catchupWindowMs))
    .describe(
      `how late a run may start that the server missed, ${formatDuration(MIN_CATCHUP_WINDOW_MS)} at least; what is missed by more is left out`,
    ),
  jitter: duration
    .default(formatDuration(DEFAULT_SCHEDULE.jitterMs))
    .describe('each run starts by up to so much later, at random'),
  pause_on_failure: z
    .boolean()
    .default(DEFAULT_SCHEDULE.pauseOnFailure)
    .describe('a run that fails pauses the schedule'),
  params: z
    .record(nameOf('param'), z.unknown())
    .optional()
    .describe('values for params of the file in its runs, as a submission gives them'),
  id: nameOf('pipeline')
    .optional()
    .describe(
      "of the schedule, in the whole namespace; without it the pipeline's name, for the second of the list NAME-2 and so on",
    ),
});

export const PAUSE_MESSAGE = z.strictObject({
  url: z
    .string()
    .min(1)
    .describe('where the message is sent, by POST; as a secret where it says who may send'),
  secret: z
    .string()
    .regex(EXPRESSION)
    .optional()
    .describe('signs the message, by the Standard Webhooks'),
});

export const ON = z.strictObject({
  schedule: z
    .array(SCHEDULE)
    .optional()
    .describe('times at which it runs, once `retune schedule apply FILE` has told the server'),
  pause: PAUSE_MESSAGE.optional().describe(
    'a message that is sent, as by notify@1, when a step pauses: because it failed, or because it asks',
  ),
});

export const PIPELINE = z.strictObject({
  name: nameOf('pipeline').describe(`of the pipeline: ${NAME_FORMS.pipeline.expected}`),
  description: text.optional().describe('what the pipeline is for'),
  params: z
    .record(nameOf('param'), z.unknown())
    .optional()
    .describe('what a submission may set: NAME: DEFAULT, or a map of type, default and bounds'),
  defaults: DEFAULTS.optional().describe('what holds for every step that does not say otherwise'),
  env: z
    .record(nameOf('env'), z.unknown())
    .optional()
    .describe('constants of the file, any JSON; no expressions'),
  steps: z.record(nameOf('step'), STEP).describe('the steps, by id; their order means nothing'),
  outputs: z
    .record(nameOf('output'), z.unknown())
    .optional()
    .describe('results of the run, by name, as expressions; evaluated when it has completed'),
  on: ON.optional().describe('when it runs without being submitted; a submission runs once'),
});

/** The keys of a part, as a person writes them. */
export function keysOfPart(part: z.ZodObject): readonly string[] {
  return Object.keys(part.shape);
}
