import { product } from '../graph/dimension.ts';
import { differentiate } from '../graph/gradients/differentiate.ts';
import { addedToGiven } from '../graph/gradients/sparse.ts';
import { Graph, type Value } from '../graph/graph.ts';
import { withMatrixPrecision } from '../graph/matrix-precision.ts';
import { toOnnx } from '../graph/onnx-file.ts';
import { reshape } from '../graph/ops.ts';
import { packedRows, targetScope, type ModelScope } from './layers.ts';
import type { Adapter } from './lora.ts';
import { gradientName, zerosName, type ModelGraph, type ParameterSpec } from './model-graph.ts';
import type { Precision } from './precision.ts';
import { objectiveLoss } from './objectives.ts';
import type { ProblemType } from './problem-types.ts';
import type { Head, Transformer } from './transformer.ts';

/** A transformer with the head of a task. */
export interface ModelParts {
  readonly transformer: Transformer;
  readonly head: Head;
  readonly problemType: ProblemType;
}

export interface TrainingGraphOptions {
  /** Parameters to differentiate, of the model and of its adapters. */
  readonly trainable: readonly string[];
  /** False leaves out every dropout of the configuration, and with it the input `dropout_keys`. */
  readonly dropout: boolean;
  /** 0 when left out. */
  readonly labelSmoothing?: number;
  readonly adapters?: readonly Adapter[];
  /** Of matrix products, forward and backward; float32 when left out. */
  readonly precision?: Precision;
  /** Whether gradients of embedding tables may be sparse (see ModelGraph); false when left out. */
  readonly sparse?: boolean;
}

/** A model with its gradients, as one ONNX graph (see ModelGraph). */
export function buildTrainingGraph(parts: ModelParts, options: TrainingGraphOptions): ModelGraph {
  const { trainable, labelSmoothing = 0, adapters = [], precision = 'float32' } = options;
  const hasDropout = options.dropout && dropoutOf(parts, adapters) > 0;
  const { graph, parameters, logits, loss } = forward(parts, {
    hasDropout,
    labelSmoothing,
    adapters,
  });
  graph.output('logits', logits);
  graph.output('loss', loss);
  const gradients = differentiate(graph, loss, trainable);
  const sparse: string[] = [];
  for (const [name, gradient] of gradients) {
    const added = options.sparse
      ? addedToGiven(graph, gradient, 'input_ids', zerosName(name))
      : undefined;
    if (added !== undefined) sparse.push(name);
    graph.output(gradientName(name), added ?? gradient);
  }
  return modelGraph(graph, parameters, { trainable, sparse, precision });
}

/** The same model without dropout and gradients. Adapters are a training's: they are merged. */
export function buildInferenceGraph(
  parts: ModelParts,
  adapters: readonly Adapter[] = [],
): ModelGraph {
  const options = { hasDropout: false, labelSmoothing: 0, adapters };
  const { graph, parameters, logits, losses } = forward(parts, options);
  graph.output('logits', logits);
  graph.output('losses', losses);
  return modelGraph(graph, parameters);
}

/** The largest dropout probability of a model; 0 when nothing is dropped. */
export function dropoutOf(
  { transformer, head }: ModelParts,
  adapters: readonly Adapter[] = [],
): number {
  return Math.max(transformer.dropout, head.dropout, ...adapters.map(({ dropout }) => dropout));
}

interface ForwardOptions {
  readonly hasDropout: boolean;
  readonly labelSmoothing: number;
  readonly adapters: readonly Adapter[];
}

interface Forward {
  readonly graph: Graph;
  readonly parameters: readonly ParameterSpec[];
  readonly logits: Value;
  readonly losses: Value;
  readonly loss: Value;
}

function forward(parts: ModelParts, options: ForwardOptions): Forward {
  const { transformer, head, problemType } = parts;
  const { hasDropout, labelSmoothing, adapters } = options;
  const parameters = [
    ...transformer.parameters,
    ...head.parameters,
    ...adapters.flatMap(({ a, b }) => [a, b]),
  ];
  const graph = new Graph();
  const scope = {
    ...modelScope(graph, parameters, adapters, hasDropout),
    readsEveryToken: head.readsEveryToken === true,
  };
  const logits = head.logits(targetScope(scope), transformer.states(scope));
  const { losses, loss } = objectiveLoss(graph, logits, { problemType, labelSmoothing });
  return { graph, parameters, logits, losses, loss };
}

function modelScope(
  graph: Graph,
  parameters: readonly ParameterSpec[],
  adapters: readonly Adapter[],
  hasDropout: boolean,
): Omit<ModelScope, 'readsEveryToken'> {
  const rows = packedRows(graph, hasDropout);
  const specs = new Map(parameters.map((spec) => [spec.name, spec]));
  const inputs = new Map(
    parameters.map(({ name, shape }) => [name, graph.input(name, 'float32', shape)]),
  );
  return {
    ...{ graph, rows },
    dropoutKeys: rows.dropoutKeys && reshape(rows.dropoutKeys, [product(rows.dropoutKeys.shape)]),
    parameter: (name) => {
      const input = inputs.get(name);
      if (input === undefined) throw new Error(`internal: the model has no parameter ${name}`);
      return input;
    },
    spec: (name) => specs.get(name),
    adapters: new Map(adapters.map((adapter) => [adapter.path, adapter])),
  };
}

/** A graph whose outputs are set, as a file with what there is to know of it. */
export function modelGraph(
  graph: Graph,
  parameters: readonly ParameterSpec[],
  options: {
    readonly trainable?: readonly string[];
    readonly sparse?: readonly string[];
    readonly precision?: Precision;
  } = {},
): ModelGraph {
  const { trainable = [], sparse = [], precision = 'float32' } = options;
  const computed = precision === 'float32' ? graph : withMatrixPrecision(graph, precision);
  return {
    onnx: toOnnx(computed),
    inputs: graph.inputs.map(({ name, dtype, shape }) => ({ name, dtype, shape })),
    outputs: [...graph.outputs].map(([name, { dtype, shape }]) => ({ name, dtype, shape })),
    parameters,
    ...{ trainable, sparse },
  };
}
