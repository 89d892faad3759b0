import { z } from 'zod';
import { lossLevelSchema, START_LEVEL } from './divergence.ts';
import { lossScalingSchema, type LossScaling } from './loss-scaling.ts';

const count = z.int().min(0);

const trainingRowSchema = z.strictObject({
  step: count,
  epoch: z.number(),
  loss: z.number(),
  learning_rate: z.number(),
  grad_norm: z.number(),
  tokens_per_second: z.number(),
  /** Share of the tokens computed since the row before that were padding. */
  padding: z.number(),
  num_input_tokens_seen: count.exactOptional(),
});

/** Besides these, each metric of the evaluation under `eval_NAME`. */
const evaluationRowSchema = z
  .object({ step: count, epoch: z.number(), eval_loss: z.number() })
  .catchall(z.number());

const historyRowSchema = z.union([trainingRowSchema, evaluationRowSchema]);

export type EvaluationRow = z.infer<typeof evaluationRowSchema>;
/** A row of the training history, under Hugging Face's names. */
export type HistoryRow = z.infer<typeof historyRowSchema>;

export function isEvaluation(row: HistoryRow): row is EvaluationRow {
  return 'eval_loss' in row;
}

/** Token positions: real ones, and all that were computed, padding included. */
const tokenCountsSchema = z.strictObject({ real: count, computed: count });
export type TokenCounts = z.infer<typeof tokenCountsSchema>;

/**
 * Where a training stands besides parameters and moments. Data order and dropout follow from the
 * step, so no random state is kept.
 */
export const trainingProgressSchema = z.strictObject({
  /** Optimizer steps done. */
  step: count,
  history: z.array(historyRowSchema),
  /** Sum of the losses of the steps since the last row of the history. */
  unloggedLoss: z.number(),
  unloggedSteps: count,
  unloggedTokens: tokenCountsSchema,
  /** Sum of the losses of all steps. */
  totalLoss: z.number(),
  totalTokens: tokenCountsSchema,
  /** What the guard against a blow-up of the loss knows. */
  lossLevel: lossLevelSchema,
  /** Null but in float16. */
  lossScaling: lossScalingSchema.nullable(),
  /** The best evaluation so far: its step and the metric that says so. */
  best: z.strictObject({ step: count, value: z.number() }).nullable(),
  /** The step whose parameters are kept as the best: of the best evaluation that a checkpoint took. */
  savedBestStep: count.nullable(),
  /** Evaluations since the last that was clearly better. */
  evaluationsWithoutGain: count,
  /** Early stopping has ended the training. */
  isStopped: z.boolean(),
  /** False once the training went on as it would not have: on another platform, in smaller passes. */
  exact: z.boolean(),
  /** Once memory ran out: the most tokens of a pass since. */
  tokensPerPass: z.int().min(1).nullable(),
  /** Parameters that were created from the seed. */
  created: z.array(z.string()),
});

export type TrainingProgress = z.infer<typeof trainingProgressSchema>;

/** The beginning of a training. */
export function startProgress(
  created: readonly string[],
  lossScaling: LossScaling | null = null,
): TrainingProgress {
  return {
    step: 0,
    history: [],
    unloggedLoss: 0,
    unloggedSteps: 0,
    unloggedTokens: { real: 0, computed: 0 },
    totalLoss: 0,
    totalTokens: { real: 0, computed: 0 },
    lossLevel: START_LEVEL,
    lossScaling,
    best: null,
    savedBestStep: null,
    evaluationsWithoutGain: 0,
    isStopped: false,
    exact: true,
    tokensPerPass: null,
    created: [...created],
  };
}

/** Share of computed tokens that were padding; 0 of none. */
export function paddingShare({ real, computed }: TokenCounts): number {
  return computed === 0 ? 0 : (computed - real) / computed;
}
