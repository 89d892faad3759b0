import { z } from 'zod';
import { artifact, defineStep, notBuilt } from '../language/step-declaration.ts';
import type { StepContext } from './step-context.ts';

const METRICS = ['accuracy', 'f1_macro', 'f1_weighted', 'loss'] as const;

const inputs = z.strictObject({
  model: artifact('model').describe('the model to score'),
  dataset: artifact('tokenized-dataset').describe('labelled rows that it has not seen'),
  metrics: z
    .array(z.enum(METRICS))
    .min(1)
    .default([...METRICS])
    .describe('which scores the output `metrics` has; the report has all'),
  device: z.enum(['cpu']).default('cpu').describe('what computes'),
  few_shot: notBuilt(),
  baselines: notBuilt(),
  forgetting: notBuilt(),
});

export type EvaluateInputs = z.output<typeof inputs>;

export const evaluate = defineStep({
  kind: 'evaluate',
  version: 1,
  revision: 2,
  effect: 'pure',
  role: 'train',
  summary: 'Score a classifier on labelled rows, against always answering the most frequent label.',
  with: inputs,
  outputs: {
    metrics: z
      .record(z.string(), z.number())
      .describe('the wanted scores, and majority_baseline and examples beside them'),
    report: artifact('report').describe(
      'report.json: every score, the confusion matrix, and precision, recall and F1 of each class',
    ),
    predictions: artifact('predictions').describe(
      'predictions.jsonl: id, expected, predicted and logits of each row',
    ),
  },
  async run(context: StepContext, given) {
    const { runEvaluation } = await import('./evaluation-run.ts');
    return runEvaluation(context, given);
  },
});
