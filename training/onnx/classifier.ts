import type { Precision } from '../models/precision.ts';
import type { TensorProto } from 'onnx-buf';
import { Failure } from '../../plan/failures.ts';
import { differentiableInputs, differentiate } from '../graph/gradients/differentiate.ts';
import { NotDifferentiable } from '../graph/gradients/rule.ts';
import { Graph, type Value } from '../graph/graph.ts';
import * as ops from '../graph/ops.ts';
import { modelGraph } from '../models/graph-building.ts';
import { gradientName, type ModelGraph, type ParameterSpec } from '../models/model-graph.ts';
import { objectiveLoss, type Objective } from '../models/objectives.ts';
import type { RowShape } from '../packing.ts';
import { batchInputs } from './batch-inputs.ts';
import { importGraph, REMEDY } from './import-graph.ts';
import { fileTensor, invalid, readOnnxModel, withWeights, type OnnxModel } from './model-file.ts';
import { candidateParameters } from './parameters.ts';
import { productsOf, type GraphProducts } from './products.ts';
import { readTensor, shapeOf, type ExternalData } from './tensor-data.ts';

/** A classifier of an .onnx file, from whose graph those for training and prediction are made. */
export interface ImportedClassifier extends RowShape {
  /** Float initializers that the logits depend on, in the file's order, under its names. */
  readonly parameters: readonly ParameterSpec[];
  readonly classes: number;
  /** Token ids there are, by the table that they index; null when there is no such table. */
  readonly vocabulary: number | null;
  /** Products of the forward and the backward pass, as `exactThreads` wants them. */
  readonly products: GraphProducts;
  /** A parameter's values in the file. */
  weights(parameter: string): Float32Array;
  /** The graph that ModelGraph describes, without dropout; a row holds one example. */
  trainingGraph(
    objective: Objective,
    trainable: readonly string[],
    precision?: Precision,
  ): ModelGraph;
  inferenceGraph(objective: Objective): ModelGraph;
  /** The file with other values of its parameters. */
  saved(weights: (parameter: string) => Float32Array): Uint8Array;
}

/** The file's nodes in a graph of ours. */
interface BuiltGraph {
  readonly graph: Graph;
  readonly rowShape: RowShape;
  /** [E,classes] */
  readonly logits: Value;
}

/** Every problem is differentiated alike up to the logits. */
const ANY_OBJECTIVE: Objective = { problemType: 'regression', labelSmoothing: 0 };

/**
 * Reads a classifier: of `input_ids`, `attention_mask` and optionally `token_type_ids` and
 * `position_ids`, [batch, sequence] of any or of fixed lengths; to `logits`, [batch, classes].
 * An export for inference has no dropout, so training it has none.
 *
 * @param external files beside it that hold data of its tensors, by name
 * @throws InvalidInput naming node and operator, where the graph cannot be differentiated
 */
export function importClassifier(bytes: Uint8Array, external?: ExternalData): ImportedClassifier {
  const model = readOnnxModel(bytes, external);
  const candidates = candidateParameters(model);
  const survey = build(model, new Set(candidates));
  const reached = differentiableInputs(survey.graph, survey.logits);
  const names = candidates.filter((name) => reached.has(name));
  if (names.length === 0) {
    throw invalid('has no weights: no float initializer that the logits depend on');
  }
  const parameters = names.map((name) => parameterSpec(model, name));
  const graphOf = (
    objective: Objective,
    trainable: readonly string[],
    precision: Precision = 'float32',
  ): BuiltModelGraph => {
    const options = { objective, trainable, precision };
    return trainingGraph(build(model, new Set(names)), parameters, options);
  };
  // What cannot be trained is told now, not when training starts.
  const whole = graphOf(ANY_OBJECTIVE, names);
  return {
    ...{ parameters, classes: Number(survey.logits.shape[1]), ...survey.rowShape },
    vocabulary: vocabularyOf(model),
    products: productsOf(whole.graph),
    weights: (parameter) => weightsOf(model, parameter),
    trainingGraph: (...options) => graphOf(...options).model,
    inferenceGraph: (objective) =>
      inferenceGraph(build(model, new Set(names)), parameters, objective),
    saved: (weights) =>
      withWeights(bytes, model.external, new Map(names.map((name) => [name, weights(name)]))),
  };
}

function build(model: OnnxModel, parameters: ReadonlySet<string>): BuiltGraph {
  const graph = new Graph();
  const batch = batchInputs(graph, model);
  const output = logitsName(model);
  const rows = importGraph({ model, graph, inputs: batch.fileInputs, parameters, output });
  const { dtype, shape } = rows;
  const isLogits = dtype === 'float32' && shape.length === 2 && shape[0] === batch.rows;
  if (!isLogits || typeof shape[1] !== 'number' || shape[1] < 1) {
    const found = `${dtype} [${shape.join(',')}]`;
    throw invalid(
      `has an output "${output}" of ${found}; expected logits, float32 [batch, classes]`,
    );
  }
  return { graph, rowShape: batch.rowShape, logits: ops.gather(rows, batch.rowOfExample, 0) };
}

/** `logits`, or else the first output that can be some. */
function logitsName({ graph }: OnnxModel): string {
  const outputs = graph.output.map(fileTensor);
  const isMatrix = (shape: readonly number[] | undefined): boolean =>
    shape === undefined || shape.length === 2;
  const found =
    outputs.find(({ name }) => name === 'logits') ??
    outputs.find(({ dtype, shape }) => dtype === 'float32' && isMatrix(shape));
  if (found !== undefined) return found.name;
  const names = outputs.map(({ name }) => name).join(', ') || 'none';
  throw invalid(
    `has no output that can be logits, float32 [batch, classes]; its outputs: ${names}`,
  );
}

interface BuiltModelGraph {
  readonly graph: Graph;
  readonly model: ModelGraph;
}

function trainingGraph(
  { graph, logits }: BuiltGraph,
  parameters: readonly ParameterSpec[],
  options: {
    readonly objective: Objective;
    readonly trainable: readonly string[];
    readonly precision: Precision;
  },
): BuiltModelGraph {
  const { objective, trainable, precision } = options;
  const { loss } = objectiveLoss(graph, logits, objective);
  graph.output('logits', logits);
  graph.output('loss', loss);
  for (const [name, gradient] of gradientsOf(graph, loss, trainable)) {
    graph.output(gradientName(name), gradient);
  }
  return { graph, model: modelGraph(graph, parameters, { trainable, precision }) };
}

function inferenceGraph(
  { graph, logits }: BuiltGraph,
  parameters: readonly ParameterSpec[],
  objective: Objective,
): ModelGraph {
  graph.output('logits', logits);
  graph.output('losses', objectiveLoss(graph, logits, objective).losses);
  return modelGraph(graph, parameters);
}

function gradientsOf(
  graph: Graph,
  loss: Value,
  trainable: readonly string[],
): ReadonlyMap<string, Value> {
  try {
    return differentiate(graph, loss, trainable);
  } catch (error) {
    if (!(error instanceof NotDifferentiable)) throw error;
    const { node, why } = error;
    const message = `${node.origin ?? node.op} cannot be differentiated: ${why}; ${REMEDY}`;
    throw new Failure('InvalidInput', message, { cause: error });
  }
}

/** Biases and the weights of norms are vectors, and are not decayed. */
function parameterSpec(model: OnnxModel, name: string): ParameterSpec {
  const shape = shapeOf(initializer(model, name), model.external);
  return { name, shape, initializer: { kind: 'zeros' }, isDecayed: shape.length > 1 };
}

function weightsOf(model: OnnxModel, name: string): Float32Array {
  const data = readTensor(initializer(model, name), model.external);
  if (!(data instanceof Float32Array)) throw new Error(`internal: ${name} holds no floats`);
  return data;
}

function initializer(model: OnnxModel, name: string): TensorProto {
  const tensor = model.initializers.get(name);
  if (tensor === undefined) throw new Error(`internal: the file has no parameter ${name}`);
  return tensor;
}

function vocabularyOf({ graph, initializers }: OnnxModel): number | null {
  const lookUp = graph.node.find(
    ({ opType, input }) => opType === 'Gather' && input[1] === 'input_ids',
  );
  const rows = initializers.get(lookUp?.input[0] ?? '')?.dims[0];
  return rows === undefined ? null : Number(rows);
}
