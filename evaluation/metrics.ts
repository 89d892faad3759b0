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
