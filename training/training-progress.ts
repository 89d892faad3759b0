import { z } from 'zod';

const count = z.int().min(0);

const historyRowSchema = z.union([
  z.strictObject({
    step: count,
    epoch: z.number(),
    loss: z.number(),
    learning_rate: z.number(),
    grad_norm: z.number(),
    tokens_per_second: z.number(),
  }),
  // Besides the loss, eval_accuracy and what else the task is scored by.
  z.object({ step: count, epoch: z.number(), eval_loss: z.number() }).catchall(z.number()),
]);

/** A row of the training history, under Hugging Face's names. */
export type HistoryRow = z.infer<typeof historyRowSchema>;

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
  /** Sum of the losses of all steps. */
  totalLoss: z.number(),
  /** The evaluation with the lowest loss so far. */
  best: z.strictObject({ step: count, eval_loss: z.number() }).nullable(),
  /** False once the training went on as it would not have: on another platform, in smaller passes. */
  exact: z.boolean(),
  /** Once memory ran out: the most tokens of a pass since. */
  tokensPerPass: z.int().min(1).nullable(),
  /** Parameters that were created from the seed. */
  created: z.array(z.string()),
});

export type TrainingProgress = z.infer<typeof trainingProgressSchema>;

/** The beginning of a training. */
export function startProgress(created: readonly string[]): TrainingProgress {
  return {
    step: 0,
    history: [],
    unloggedLoss: 0,
    unloggedSteps: 0,
    totalLoss: 0,
    best: null,
    exact: true,
    tokensPerPass: null,
    created: [...created],
  };
}
