/** Hugging Face's names of what a classification head predicts. */
export const PROBLEM_TYPES = [
  'single_label_classification',
  'multi_label_classification',
  'regression',
] as const;

export type ProblemType = (typeof PROBLEM_TYPES)[number];
