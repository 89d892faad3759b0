import { z } from 'zod';
import { Failure } from '../../plan/failures.ts';
import { parseConfig, type ConfigJson } from '../models/config-schema.ts';
import { PROBLEM_TYPES, type ProblemType } from '../models/problem-types.ts';
import type { ModelDefinition, ModelPurpose } from '../model.ts';
import { exactThreads } from '../thread-count.ts';
import type { ImportedClassifier } from './classifier.ts';

/** What of a config.json says something about a graph that is there already. */
const schema = z.object({
  architectures: z.array(z.string()).nullish(),
  id2label: z.record(z.string(), z.string()).nullish(),
  num_labels: z.int().nullish(),
  problem_type: z.enum(PROBLEM_TYPES).nullish(),
  pad_token_id: z.int().nullish(),
  vocab_size: z.int().nullish(),
  max_position_embeddings: z.int().nullish(),
  n_positions: z.int().nullish(),
});

/** The class of optimum that runs .onnx files, where config.json names none. */
const ARCHITECTURE = 'ORTModelForSequenceClassification';

/** RoBERTa and its kin count positions from the pad token's id + 1. */
const COUNTS_FROM_PAD = /^(xlm-)?roberta|camembert/;

/**
 * A classifier of an .onnx file as the model of its config.json, which may be empty.
 * @throws InvalidInput for a task or a number of classes that the graph does not have
 */
export function importedModel(
  imported: ImportedClassifier,
  json: ConfigJson,
  purpose: ModelPurpose = {},
): ModelDefinition {
  if (purpose.task === 'causal-lm') {
    throw refused("cannot learn the task 'causal-lm'", 'use the Hugging Face folder of a GPT-2');
  }
  const config = parseConfig({ schema, otherNames: {}, title: '' }, json);
  const { parameters, classes, tokens, products } = imported;
  const problemType = problemOf(imported, config, purpose);
  return {
    ...{ task: 'text-classification', problemType, parameters, classes, imported },
    architecture: config.architectures?.[0] ?? ARCHITECTURE,
    basePrefix: '',
    head: [],
    mayLack: [],
    knownExtras: /^$/,
    valuesWidth: problemType === 'single_label_classification' ? undefined : classes,
    vocabulary: imported.vocabulary ?? config.vocab_size ?? Infinity,
    positions: tokens ?? positionsOf(config, json),
    padTokenId: config.pad_token_id ?? null,
    layers: 0,
    layerOf: () => undefined,
    // The graph looks for it itself.
    pooledPosition: () => 0,
    sessionThreads: (available) => exactThreads(available, products.byWeights, products.matrices),
    hasDropout: () => false,
    adapters: () => {
      throw refused('takes no LoRA', 'train all of it, or the Hugging Face folder with lora');
    },
    trainingGraph: ({ trainable, labelSmoothing = 0, precision = 'float32' }) =>
      imported.trainingGraph({ problemType, labelSmoothing }, trainable, precision),
    inferenceGraph: () => imported.inferenceGraph({ problemType, labelSmoothing: 0 }),
  };
}

function problemOf(
  { classes }: ImportedClassifier,
  config: z.output<typeof schema>,
  purpose: ModelPurpose,
): ProblemType {
  const named = config.id2label && Object.keys(config.id2label).length;
  const told = named ?? config.num_labels ?? classes;
  if (told !== classes) {
    throw refused(
      `has logits of ${classes} classes, and its config.json says ${told}`,
      `it keeps its head: give download-model config: { num_labels: ${classes} }, or the Hugging Face folder`,
    );
  }
  const otherwise = classes === 1 ? 'regression' : 'single_label_classification';
  const problemType = purpose.problemType ?? config.problem_type ?? otherwise;
  if (classes > 1 || problemType !== 'single_label_classification') return problemType;
  throw refused(
    'has logits of 1 class, which tells nothing apart',
    'train it on numbers (label_kind: number)',
  );
}

function positionsOf(config: z.output<typeof schema>, json: ConfigJson): number {
  const most = config.n_positions ?? config.max_position_embeddings ?? Infinity;
  const isShifted = COUNTS_FROM_PAD.test(String(json['model_type']));
  return isShifted ? most - (config.pad_token_id ?? 1) - 1 : most;
}

function refused(what: string, remedy: string): Failure {
  return new Failure('InvalidInput', `the ONNX file ${what}; ${remedy}`);
}
