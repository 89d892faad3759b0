import { z } from 'zod';
import { artifact, defineStep, notBuilt } from '../language/step-declaration.ts';
import { METRICS } from '../evaluation/metrics.ts';
import { DEVICE_CHOICES, DEVICE_DESCRIPTION } from '../training/devices/device.ts';
import type { StepContext } from './step-context.ts';

const inputs = z.strictObject({
  model: artifact('model').describe('the model to score'),
  dataset: artifact('tokenized-dataset').describe(
    'rows that it has not seen, with their labels; for a language model texts',
  ),
  metrics: z
    .array(z.enum(METRICS))
    .min(1)
    .optional()
    .describe(
      'which scores the output `metrics` has, without it all; of one class a row: accuracy, f1_macro, f1_weighted; of several: accuracy, f1_micro; of numbers: mse, mae; of a language model: perplexity; of all: loss',
    ),
  device: z.enum(DEVICE_CHOICES).default('cpu').describe(DEVICE_DESCRIPTION),
  few_shot: notBuilt(),
  baselines: notBuilt(),
  forgetting: notBuilt(),
});

export type EvaluateInputs = z.output<typeof inputs>;

export const evaluate = defineStep({
  kind: 'evaluate',
  version: 1,
  revision: 3,
  effect: 'pure',
  role: 'train',
  summary:
    'Score a model on rows that it has not seen; a classifier against always answering the most frequent label.',
  with: inputs,
  outputs: {
    metrics: z
      .record(z.string(), z.number())
      .describe(
        'the wanted scores, and beside them examples (of a language model: tokens) and for one class a row majority_baseline',
      ),
    report: artifact('report').describe(
      'report.json: every score; for one class a row also the confusion matrix, and precision, recall and F1 of each class',
    ),
    predictions: artifact('predictions').describe(
      'predictions.jsonl: id, expected, predicted and logits of each row; empty for a language model',
    ),
  },
  async run(context: StepContext, given) {
    const { runEvaluation } = await import('./evaluation-run.ts');
    return runEvaluation(context, given);
  },
});
