import { z } from 'zod';
import type { Catalog } from '../../language/catalog.ts';
import {
  artifact,
  credential,
  defineStep,
  notBuilt,
  schemaFacts,
  type StepSignature,
} from '../../language/step-declaration.ts';

function kind(
  signature: Pick<StepSignature, 'kind' | 'effect' | 'role' | 'with' | 'outputs'> & {
    version?: number;
  },
): StepSignature {
  return defineStep({
    version: 1,
    revision: 1,
    summary: `The kind ${signature.kind}.`,
    ...signature,
    run: () => Promise.reject(new Error('only declared')),
  });
}

const label = z.union([z.string().min(1), z.int()]);

/** Step kinds declared as the contract has them, without behaviour. */
export const catalog: Catalog = [
  kind({
    kind: 'download-dataset',
    effect: 'source',
    role: 'work',
    with: z.strictObject({
      source: z.string().min(1),
      format: z.enum(['auto', 'parquet', 'csv', 'tsv', 'jsonl']).default('auto'),
      text: z.string().min(1),
      label: z.string().min(1).optional(),
      labels: z.array(label).min(2).optional(),
      splits: notBuilt(),
    }),
    outputs: {
      dataset: artifact('dataset'),
      rows: z.int(),
      labels: z.array(z.string()),
      revision: z.string(),
    },
  }),
  kind({
    kind: 'download-model',
    effect: 'source',
    role: 'work',
    with: z
      .strictObject({
        source: z.string().min(1).optional().register(schemaFacts, { example: 'hf://OWNER/NAME' }),
        config: z.record(z.string(), z.union([z.number(), z.string(), z.boolean()])).optional(),
        seed: z.int().nonnegative().optional(),
        tokenizer: z.string().min(1).optional(),
      })
      .refine(({ source, tokenizer }) => source !== undefined || tokenizer !== undefined, {
        path: ['source'],
        error: 'missing: give a source, or a tokenizer for a fresh model',
      }),
    outputs: { model: artifact('model'), parameters: z.int() },
  }),
  kind({
    kind: 'subset',
    effect: 'pure',
    role: 'work',
    with: z.strictObject({
      dataset: artifact('dataset'),
      split: z.string().min(1).optional(),
      shuffle_seed: z.int().nonnegative().optional(),
      skip: z.int().nonnegative().default(0),
      take: z.int().positive().optional(),
      where: notBuilt(),
    }),
    outputs: { dataset: artifact('dataset'), rows: z.int() },
  }),
  kind({
    kind: 'tokenize',
    effect: 'pure',
    role: 'work',
    with: z.strictObject({
      dataset: artifact('dataset'),
      tokenizer: artifact('model'),
      max_length: z.int().min(1).max(8192),
      pad_token: z.string().optional(),
      truncation: z.boolean().default(true),
    }),
    outputs: {
      dataset: artifact('tokenized-dataset'),
      tokens: z.int(),
      truncated: z.int(),
    },
  }),
  kind({
    kind: 'train',
    effect: 'pure',
    role: 'train',
    with: z.strictObject({
      model: artifact('model'),
      task: z.enum(['text-classification', 'causal-lm']),
      train_dataset: artifact('tokenized-dataset'),
      eval_dataset: artifact('tokenized-dataset').optional(),
      args: z
        .strictObject({
          per_device_train_batch_size: z.int().positive().default(8),
          gradient_accumulation_steps: z.int().positive().default(1),
          num_train_epochs: z.number().positive().default(3),
          max_steps: z.int().optional(),
          learning_rate: z.number().positive().default(5e-5),
          adam_betas: z.tuple([z.number(), z.number()]).optional(),
          seed: z.int().default(42),
        })
        .optional(),
      stop_at_step: z
        .int()
        .min(1)
        .register(schemaFacts, { stopsWithin: 'args.max_steps' })
        .optional(),
      lora: notBuilt(),
    }),
    outputs: {
      model: artifact('model'),
      metrics: z
        .record(z.string(), z.number())
        .register(schemaFacts, { evaluatedFrom: 'eval_dataset' }),
      history: artifact('history'),
      best_step: z.int(),
    },
  }),
  kind({
    kind: 'evaluate',
    effect: 'pure',
    role: 'train',
    with: z.strictObject({
      model: artifact('model'),
      dataset: artifact('tokenized-dataset'),
      metrics: z.array(z.enum(['accuracy', 'f1_macro', 'loss'])).min(1),
    }),
    outputs: {
      metrics: z.strictObject({
        accuracy: z.number(),
        f1_macro: z.number(),
        loss: z.number(),
        per_label: z.record(z.string(), z.strictObject({ f1: z.number() })),
      }),
      report: artifact('report'),
      predictions: artifact('predictions'),
    },
  }),
  kind({
    kind: 'register',
    effect: 'external',
    role: 'work',
    with: z.strictObject({
      model: artifact('model'),
      name: z
        .string()
        .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, "expected letters, digits, '.', '_' and '-'"),
      evaluation: artifact('report').optional(),
      alias: z.string().min(1).optional(),
      hub: notBuilt(),
    }),
    outputs: { version: z.int(), aliases: z.array(z.string()), url: z.string() },
  }),
  // A kind with a second version, and with inputs of shapes that the others do not have.
  kind({
    kind: 'probe',
    version: 1,
    effect: 'pure',
    role: 'work',
    with: z.strictObject({}),
    outputs: { value: z.unknown() },
  }),
  kind({
    kind: 'probe',
    version: 2,
    effect: 'pure',
    role: 'work',
    with: z.strictObject({
      goal: z.literal('maximize').optional(),
      threshold: z
        .discriminatedUnion('kind', [
          z.strictObject({ kind: z.literal('absolute'), value: z.number() }),
          z.strictObject({ kind: z.literal('relative'), percent: z.number().max(100) }),
        ])
        .optional(),
      either: z.union([z.boolean(), z.strictObject({ size: z.int() })]).optional(),
      any: z.unknown().optional(),
      files: z.record(z.string(), z.union([z.string(), z.array(z.string())])).optional(),
      pair: z.array(z.int()).min(2).optional(),
      range: z
        .strictObject({ from: z.int(), to: z.int() })
        .refine(({ from, to }) => from < to, { error: "expected 'from' below 'to'" })
        .optional(),
      token: credential('HF_TOKEN').optional(),
      login: z.strictObject({ key: credential('KEY'), user: z.string().optional() }).optional(),
    }),
    outputs: { value: z.unknown(), flag: z.boolean() },
  }),
  // A map of fixed keys, and a rule of its own for all inputs together.
  kind({
    kind: 'shares',
    effect: 'pure',
    role: 'work',
    with: z
      .strictObject({
        of: z.partialRecord(z.enum(['train', 'test']), z.number()).optional(),
        total: z.number().optional(),
      })
      .refine(({ of, total }) => of === undefined || total === undefined, {
        error: "has both 'of' and 'total'; remove one of them",
      }),
    outputs: {},
  }),
  // Of its inputs none is required, but by its own rules first one is, then another inside it.
  kind({
    kind: 'ruled',
    effect: 'pure',
    role: 'work',
    with: z
      .strictObject({
        mode: z.enum(['plain', 'deep']).optional(),
        options: z.strictObject({ depth: z.int().min(3).optional() }).optional(),
      })
      .refine(({ mode }) => mode !== undefined, { path: ['mode'] })
      .refine(({ mode, options }) => mode === undefined || options?.depth !== undefined, {
        path: ['options', 'depth'],
      })
      .refine(({ options }) => {
        if (options?.depth === 13) throw new RangeError('there is no 13th level');
        return true;
      }),
    outputs: {},
  }),
  kind({
    kind: 'select',
    effect: 'pure',
    role: 'work',
    with: z.strictObject({
      from: z.array(z.looseObject({})),
      by: z.string().min(1).register(schemaFacts, { pathIn: 'from' }),
      matrix: z.array(z.looseObject({})).optional(),
    }),
    outputs: {
      chosen: z.looseObject({}).register(schemaFacts, { itemOf: 'from' }),
      matrix: z.looseObject({}).register(schemaFacts, { itemOf: 'matrix' }),
      value: z.number(),
    },
  }),
];
