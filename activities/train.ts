import { z } from 'zod';
import { artifact, defineStep, schemaFacts } from '../language/step-declaration.ts';
import { trainingArgumentsSchema } from '../training/arguments.ts';
import { OLDER_NAMES } from '../training/arguments/older-names.ts';
import { DEVICE_CHOICES, DEVICE_DESCRIPTION } from '../training/devices/device.ts';
import { DEFAULT_DIVERGENCE } from '../training/divergence.ts';
import { VERDICTS } from '../evaluation/verdicts.ts';
import { PROBLEM_TYPES } from '../training/models/problem-types.ts';
import type { StepContext } from './step-context.ts';
import { trainRules } from './train-rules.ts';

for (const { schema, hint, now } of Object.values(OLDER_NAMES)) {
  schemaFacts.add(schema, { hint: `is an older name; ${hint}`, replacedBy: now });
}

const divergenceSchema = z.union([
  z.literal('off'),
  z.strictObject({
    factor: z
      .number()
      .gt(1)
      .default(DEFAULT_DIVERGENCE.factor)
      .describe("times the loss's level above which it has blown up"),
    patience: z
      .int()
      .min(1)
      .default(DEFAULT_DIVERGENCE.patience)
      .describe('optimizer steps in a row above it'),
  }),
]);

const inputs = z
  .strictObject({
    model: artifact('model').describe('the model to start from'),
    task: z
      .enum(['text-classification', 'causal-lm'])
      .describe('what the model learns to do: to tell labels or numbers, or to go on with texts'),
    train_dataset: artifact('tokenized-dataset').describe('the examples to learn from'),
    eval_dataset: artifact('tokenized-dataset')
      .optional()
      .describe(
        'examples to evaluate, at the end of each epoch if args says no other; not to be the test split',
      ),
    args: trainingArgumentsSchema
      .prefault({})
      .describe("Hugging Face's TrainingArguments, with their names, meanings and defaults"),
    problem_type: z
      .enum(PROBLEM_TYPES)
      .optional()
      .describe(
        "what a classifier's labels are, Hugging Face's word; without it what the dataset's labels say",
      ),
    class_weights: z
      .union([
        z.literal('balanced'),
        z.array(z.number().min(0)).min(1),
        z.record(z.string(), z.number().min(0)),
      ])
      .optional()
      .describe(
        "weight of each class in the loss: a list in the order of the labels, a map by label, or balanced: rows / (classes · rows of the class), as scikit-learn's",
      ),
    early_stopping: z
      .strictObject({
        patience: z
          .int()
          .min(1)
          .default(1)
          .describe('evaluations in a row that may be no better than the best before'),
        threshold: z
          .number()
          .min(0)
          .default(0)
          .describe('by how much an evaluation has to be better, to count as better'),
      })
      .optional()
      .describe(
        'ends the training when evaluations stop getting better, by metric_for_best_model; as EarlyStoppingCallback',
      ),
    divergence: divergenceSchema
      .prefault({})
      .describe(
        `off, or when a loss has blown up: above \`factor\` (${DEFAULT_DIVERGENCE.factor}) times its level for \`patience\` (${DEFAULT_DIVERGENCE.patience}) optimizer steps in a row; see Guards`,
      ),
    replay: z
      .strictObject({
        dataset: artifact('tokenized-dataset').describe(
          'its rows, of which each epoch takes the next of a shuffle; labels and tokenizer as train_dataset has',
        ),
        fraction: z
          .number()
          .gt(0)
          .lt(1)
          .default(0.1)
          .describe(
            "share of an epoch's rows that are for replay; an epoch is still one pass over train_dataset",
          ),
      })
      .optional()
      .describe(
        'mixes rows of another dataset into each epoch, against forgetting what the model could do before',
      ),
    device: z.enum(DEVICE_CHOICES).default('cpu').describe(DEVICE_DESCRIPTION),
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
    stop_at_step: z
      .int()
      .min(1)
      .register(schemaFacts, { stopsWithin: 'args.max_steps' })
      .optional()
      .describe(
        'optimizer step after which it stops for now, in the course that args says: a training with the same inputs and a later stop, or none, goes on from there; evaluates there, too',
      ),
    pack: z
      .boolean()
      .default(true)
      .describe(
        'whether several examples share a row, which attention keeps apart; false pads each to the longest of its pass, as Trainer does, and an imported .onnx classifier is always trained so',
      ),
  })
  .check(...trainRules);

export type TrainInputs = z.output<typeof inputs>;

export const train = defineStep({
  kind: 'train',
  version: 1,
  revision: 4,
  effect: 'pure',
  role: 'train',
  summary: 'Fine-tune a model; continues from its last checkpoint, to the same bytes.',
  with: inputs,
  outputs: {
    model: artifact('model').describe(
      'weights after the last step, or with load_best_model_at_end the best; config.json and tokenizer',
    ),
    metrics: z
      .record(z.string(), z.number())
      .register(schemaFacts, { evaluatedFrom: 'eval_dataset' })
      .describe(
        'train_loss, the mean over all steps; padding_fraction, the share of computed tokens that were padding; with eval_dataset what was evaluated of the model: eval_loss, eval_accuracy',
      ),
    history: artifact('history').describe('the curve, as history.jsonl'),
    best_step: z
      .int()
      .describe(
        'step of the best evaluation, by metric_for_best_model; without evaluations the last step',
      ),
    verdict: z.enum(VERDICTS).describe('what the curves say of the training'),
    verdict_reasons: z
      .array(z.string())
      .describe('the numbers that the verdict is from, and what to do about it'),
  },
  async run(context: StepContext, given) {
    const { runTraining } = await import('./training-run.ts');
    return runTraining(context, given);
  },
});
