import type { TensorProto } from 'onnx-buf';
import { Failure } from '../../plan/failures.ts';
import { differentiableInputs, differentiate } from '../graph/gradients/differentiate.ts';
import { NotDifferentiable } from '../graph/gradients/rule.ts';
import { Graph, type Value } from '../graph/graph.ts';
import { toOnnx } from '../graph/onnx-file.ts';
import * as ops from '../graph/ops.ts';
import { gradientName, type ModelGraph, type ParameterSpec } from '../models/model-graph.ts';
import { batchInputs, type RowShape } from './batch-inputs.ts';
import { importGraph, REMEDY } from './import-graph.ts';
import { fileTensor, invalid, readOnnxModel, type OnnxModel } from './model-file.ts';
import { candidateParameters } from './parameters.ts';
import { readTensor, shapeOf, type ExternalData } from './tensor-data.ts';

/** A classifier of an .onnx file, from whose graph those for training and prediction are made. */
export interface ImportedClassifier {
  /** Float initializers that the logits depend on, in the file's order, under its names. */
  readonly parameters: readonly ParameterSpec[];
  readonly classes: number;
  /** Every pass has this many rows, or any number when null. */
  readonly rows: number | null;
  /** Every row has this many tokens, padding included, or any number when null. */
  readonly tokens: number | null;
  /** Token ids there are, by the table that they index; null when there is no such table. */
  readonly vocabulary: number | null;
  /** A parameter's values in the file. */
  weights(parameter: string): Float32Array;
  /**
   * The graph that ModelGraph describes, without dropout: a row holds one example, and all rows of a
   * pass that has fewer examples are there.
   */
  trainingGraph(trainable?: readonly string[]): ModelGraph;
  inferenceGraph(): ModelGraph;
}

/** A graph with the file's nodes in it, and ours after them. */
interface BuiltGraph {
  readonly graph: Graph;
  /** [E,classes] */
  readonly logits: Value;
  /** [] */
  readonly loss: Value;
}

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
  if (names.length === 0)
    throw invalid('has no weights: no float initializer that the logits depend on');
  const specs = names.map((name) => parameterSpec(model, name));
  const [, classes] = survey.logits.shape;
  const graphOf = (trainable: readonly string[]): ModelGraph => {
    const built = build(model, new Set(names));
    appendGradients(built, trainable);
    return modelGraph(built, specs, trainable);
  };
  // What cannot be trained is told now, not when training starts.
  graphOf(names);
  return {
    parameters: specs,
    classes: Number(classes),
    ...survey.rowShape,
    vocabulary: vocabularyOf(model),
    weights: (parameter) => weightsOf(model, parameter),
    trainingGraph: (trainable = names) => graphOf(trainable),
    inferenceGraph: () => graphOf([]),
  };
}

function build(
  model: OnnxModel,
  parameters: ReadonlySet<string>,
): BuiltGraph & { readonly rowShape: RowShape } {
  const graph = new Graph();
  const batch = batchInputs(graph, model);
  const output = logitsName(model);
  const rows = importGraph({ model, graph, inputs: batch.fileInputs, parameters, output });
  const classes = rows.shape[1];
  const isLogits =
    rows.dtype === 'float32' && rows.shape.length === 2 && rows.shape[0] === batch.rows;
  if (!isLogits || typeof classes !== 'number' || classes < 2) {
    const found = `${rows.dtype} [${rows.shape.join(',')}]`;
    throw invalid(
      `has an output "${output}" of ${found}; expected logits, float32 [batch, classes] of 2 or more classes`,
    );
  }
  const logits = ops.gather(rows, batch.rowOfExample, 0);
  const loss = crossEntropy(logits, batch.labels, batch.weights);
  graph.output('logits', logits);
  graph.output('loss', loss);
  return { graph, logits, loss, rowShape: batch.rowShape };
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

function appendGradients({ graph, loss }: BuiltGraph, trainable: readonly string[]): void {
  try {
    for (const [name, gradient] of differentiate(graph, loss, trainable)) {
      graph.output(gradientName(name), gradient);
    }
  } catch (error) {
    if (!(error instanceof NotDifferentiable)) throw error;
    const { node, why } = error;
    const message = `${node.origin ?? node.op} cannot be differentiated: ${why}; ${REMEDY}`;
    throw new Failure('InvalidInput', message, { cause: error });
  }
}

function modelGraph(
  { graph }: BuiltGraph,
  parameters: readonly ParameterSpec[],
  trainable: readonly string[],
): ModelGraph {
  return {
    onnx: toOnnx(graph),
    inputs: graph.inputs.map(({ name, dtype, shape }) => ({ name, dtype, shape })),
    outputs: [...graph.outputs].map(([name, { dtype, shape }]) => ({ name, dtype, shape })),
    parameters,
    trainable,
  };
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

/** Σ weight·(−log softmax(logits)[label]): logits [E,classes], labels and weights [E] → []. */
function crossEntropy(logits: Value, labels: Value, weights: Value): Value {
  const [E = 1] = logits.shape;
  const picked = ops.gatherElements(ops.logSoftmax(logits), ops.reshape(labels, [E, 1]), 1);
  return ops.neg(ops.reduceSum(ops.mul(ops.reshape(picked, [E]), weights), [0]));
}
