/** Scores by what a model answers, as reports name them. */
export const METRICS = [
  'accuracy',
  'f1_macro',
  'f1_weighted',
  'f1_micro',
  'mse',
  'mae',
  'perplexity',
  'loss',
] as const;

export type Metric = (typeof METRICS)[number];

/** As Trainer's greater_is_better, which knows of the loss alone. */
const LESS_IS_BETTER = /(^|[._])(loss|perplexity|mse|mae)$/;

/** Of a metric, or of the path of one inside a result: `metrics.eval_loss`. */
export function isLessBetter(metric: string): boolean {
  return LESS_IS_BETTER.test(metric);
}
