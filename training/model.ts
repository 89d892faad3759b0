import { Failure } from '../plan/failures.ts';
import { transformerOf } from './models/architectures.ts';
import type { ConfigJson } from './models/config-schema.ts';
import {
  buildInferenceGraph,
  buildTrainingGraph,
  dropoutOf,
  type ModelParts,
  type TrainingGraphOptions,
} from './models/graph-building.ts';
import { parseLabelConfig } from './models/label-config.ts';
import { type Adapter, loraAdapters, type LoraOptions } from './models/lora.ts';
import type { ModelGraph, ParameterSpec } from './models/model-graph.ts';
import type { ProblemType } from './models/problem-types.ts';
import type { ImportedClassifier } from './onnx/classifier.ts';
import { linearWidths } from './models/parameters.ts';
import type { Head, Transformer } from './models/transformer.ts';
import { exactThreads, type WeightProduct } from './thread-count.ts';

export const TASKS = ['text-classification', 'causal-lm'] as const;

/** What a model is to do, by Hugging Face's names. */
export type Task = (typeof TASKS)[number];

/** What to make of a config.json, where it does not say. */
export interface ModelPurpose {
  readonly task?: Task;
  readonly problemType?: ProblemType;
  /** Classes, or targets of a regression. */
  readonly labelCount?: number | undefined;
}

/** A model as config.json describes it, whatever its architecture. */
export interface ModelDefinition {
  readonly task: Task;
  readonly problemType: ProblemType;
  /** Hugging Face's class, as `GPT2ForSequenceClassification`. */
  readonly architecture: string;
  /** Without adapters. */
  readonly parameters: readonly ParameterSpec[];
  /** What base checkpoints leave out at the start of parameter names. */
  readonly basePrefix: string;
  /** Parameters of the head. */
  readonly head: readonly string[];
  /** Parameters that a base checkpoint may lack: the head's, and some of the transformer's. */
  readonly mayLack: readonly string[];
  /** Entries of checkpoints that are of no use here. */
  readonly knownExtras: RegExp;
  /** Width of the logits: classes, regression targets, or the vocabulary. */
  readonly classes: number;
  /** Width of the graph's `label_values`; undefined where targets are `labels`. */
  readonly valuesWidth: number | undefined;
  readonly vocabulary: number;
  /** Longest example, in tokens. */
  readonly positions: number;
  readonly padTokenId: number | null;
  /** Whether rows must have the model's own pad token, as its positions are counted from it. */
  readonly hasPadPositions?: true;
  /** The graph of an .onnx file, which the model then is; it takes one example a row. */
  readonly imported?: ImportedClassifier;
  readonly layers: number;
  /** Which layer a parameter belongs to, from 0; undefined for embeddings and the like. */
  readonly layerOf: (parameter: string) => number | undefined;
  /** Position of the token that a classification head reads. */
  readonly pooledPosition: (ids: ArrayLike<number>, padTokenId: number | null) => number;
  /** Threads for a session of its graphs, of those available. @see exactThreads */
  sessionThreads(available: number): number;
  hasDropout(adapters: readonly Adapter[]): boolean;
  /** @throws InvalidInput for a target module that it does not have */
  adapters(options: LoraOptions): readonly Adapter[];
  trainingGraph(options: TrainingGraphOptions): ModelGraph;
  inferenceGraph(adapters?: readonly Adapter[]): ModelGraph;
}

/**
 * The model of a parsed config.json.
 * @throws InvalidInput for an architecture, an option or a task that is not built
 */
export function defineModel(json: ConfigJson, purpose: ModelPurpose = {}): ModelDefinition {
  const transformer = transformerOf(json);
  const task = purpose.task ?? taskOf(json);
  const { head, classes, problemType } = headOf(json, transformer, task, purpose);
  const parts: ModelParts = { transformer, head, problemType };
  const parameters = [...transformer.parameters, ...head.parameters];
  const headNames = head.parameters.map(({ name }) => name);
  const products = weightProducts([...parameters, ...(head.tied ?? [])]);
  return {
    ...{ task, problemType, classes, parameters },
    architecture: head.architecture,
    valuesWidth: problemType === 'single_label_classification' ? undefined : classes,
    basePrefix: transformer.basePrefix,
    head: headNames,
    mayLack: [...transformer.mayLack, ...headNames],
    knownExtras: transformer.knownExtras,
    vocabulary: transformer.vocabulary,
    positions: transformer.positions,
    padTokenId: transformer.padTokenId,
    ...(transformer.hasPadPositions && { hasPadPositions: true }),
    layers: transformer.layers,
    layerOf: transformer.layerOf,
    pooledPosition: transformer.pooledPosition,
    sessionThreads: (available) => exactThreads(available, products, transformer.attentionHeads),
    hasDropout: (adapters) => dropoutOf(parts, adapters) > 0,
    adapters: (options) => loraAdapters(transformer.parameters, options, transformer.adapted),
    trainingGraph: (options) => buildTrainingGraph(parts, options),
    inferenceGraph: (adapters) => buildInferenceGraph(parts, adapters),
  };
}

/** What the classes that a config.json names were made for. */
function taskOf(json: ConfigJson): Task {
  const architectures = json['architectures'];
  const [first] = Array.isArray(architectures) ? (architectures as readonly unknown[]) : [];
  return /(LMHeadModel|ForCausalLM)$/.test(String(first)) ? 'causal-lm' : 'text-classification';
}

interface ChosenHead {
  readonly head: Head;
  readonly classes: number;
  readonly problemType: ProblemType;
}

function headOf(
  json: ConfigJson,
  transformer: Transformer,
  task: Task,
  { problemType: asked, labelCount }: ModelPurpose,
): ChosenHead {
  if (task === 'text-classification') {
    const defaults = { problemType: asked, labels: labelCount };
    const { labels, problemType } = parseLabelConfig(json, defaults);
    return { head: transformer.classifier(labels), classes: labels, problemType };
  }
  const { languageModel: head, vocabulary } = transformer;
  if (head === undefined) {
    throw new Failure(
      'InvalidInput',
      `config.json: a model of the type ${String(json['model_type'])} cannot learn the task ` +
        "'causal-lm': it reads texts from both sides; use a GPT-2, or the task 'text-classification'",
    );
  }
  return { head, classes: vocabulary, problemType: 'single_label_classification' };
}

/** Forward by each weight, backward by its transpose. */
function weightProducts(parameters: readonly ParameterSpec[]): readonly WeightProduct[] {
  return parameters
    .filter(({ linear }) => linear !== undefined)
    .flatMap((spec) => {
      const { inputs, outputs } = linearWidths(spec);
      return [
        { K: inputs, N: outputs },
        { K: outputs, N: inputs },
      ];
    });
}
