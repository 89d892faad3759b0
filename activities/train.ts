import { z } from 'zod';
import { artifact, defineStep, notBuilt } from '../language/step-declaration.ts';
import { trainingArgumentsSchema } from '../training/arguments.ts';
import { argumentsNotBuilt } from './arguments-not-built.ts';
import type { StepContext } from './step-context.ts';

const inputs = z.strictObject({
  model: artifact('model').describe('the model to start from'),
  task: z
    .enum(['text-classification', 'causal-lm'])
    .describe('what the model learns to do: to tell labels or numbers, or to go on with texts'),
  train_dataset: artifact('tokenized-dataset').describe('the examples to learn from'),
  eval_dataset: artifact('tokenized-dataset')
    .optional()
    .describe('examples to evaluate at the end of each epoch; not to be the test split'),
  args: trainingArgumentsSchema
    .safeExtend(argumentsNotBuilt)
    .prefault({})
    .describe("Hugging Face's TrainingArguments, with their names, meanings and defaults"),
  device: z.enum(['cpu']).default('cpu').describe('what computes'),
  lora: z
    .strictObject({
      r: z.int().min(1).default(8).describe('rank'),
      alpha: z.number().positive().default(8).describe('adapters count alpha / r'),
      dropout: z.number().min(0).lt(1).default(0).describe("of the adapters' inputs"),
      target_modules: z
        .union([z.literal('all-linear'), z.array(z.string().min(1)).min(1)])
        .optional()
        .describe(
          "linear layers to adapt, by the last parts of their names, or all-linear; without it PEFT's choice (GPT-2: c_attn; BERT and RoBERTa: query and value; DistilBERT: q_lin and v_lin)",
        ),
    })
    .optional()
    .describe(
      "low-rank adaptation, { r: 8, alpha: 8, dropout: 0, target_modules: [NAME, ...] or all-linear } with PEFT's defaults: only adapters and the head are trained; the model has them merged, and beside them in PEFT's layout below adapter/",
    ),
  freeze: z
    .union([
      z.array(z.string().min(1)).min(1),
      z.strictObject({
        all_but_last: z.int().min(0).describe('layers that are trained, counted from the last'),
      }),
    ])
    .optional()
    .describe(
      'parameters to leave as they are: names, in which * stands for anything; or all_but_last: N, the embeddings and all layers below the last N; with lora it may freeze the head too',
    ),
  early_stopping: notBuilt(),
  pack: notBuilt(),
  replay: notBuilt(),
});

export type TrainInputs = z.output<typeof inputs>;

export const train = defineStep({
  kind: 'train',
  version: 1,
  revision: 2,
  effect: 'pure',
  role: 'train',
  summary: 'Fine-tune a model; continues from its last checkpoint, to the same bytes.',
  with: inputs,
  outputs: {
    model: artifact('model').describe('weights after the last step, config.json and tokenizer'),
    metrics: z
      .record(z.string(), z.number())
      .describe(
        'train_loss, the mean over all steps; with eval_dataset the last eval_loss and eval_accuracy',
      ),
    history: artifact('history').describe('the curve, as history.jsonl'),
    best_step: z
      .int()
      .describe('step of the evaluation with the lowest loss; without evaluations the last step'),
  },
  async run(context: StepContext, given) {
    const { runTraining } = await import('./training-run.ts');
    return runTraining(context, given);
  },
});
