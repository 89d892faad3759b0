import * as elementwise from './inference/elementwise.ts';
import * as matrices from './inference/matrices.ts';
import {
  operand,
  type Application,
  type Inference,
  type TensorType,
} from './inference/operands.ts';
import * as shapes from './inference/shapes.ts';
import { Mismatch } from './mismatch.ts';

/**
 * The ONNX operators (opset 21) that graphs are made of, each with the types of its outputs.
 * Source of every rule: https://onnx.ai/onnx/operators/
 */
const INFERENCE = {
  Add: elementwise.numbers,
  Sub: elementwise.numbers,
  Mul: elementwise.numbers,
  Div: elementwise.numbers,
  Mod: elementwise.integers,
  Neg: elementwise.numbers,
  Abs: elementwise.numbers,
  Sign: elementwise.numbers,
  Exp: elementwise.floats,
  Log: elementwise.floats,
  Sqrt: elementwise.floats,
  Pow: elementwise.floats,
  Reciprocal: elementwise.floats,
  Sin: elementwise.floats,
  Cos: elementwise.floats,
  Sigmoid: elementwise.floats,
  Tanh: elementwise.floats,
  Relu: elementwise.floats,
  Erf: elementwise.floats,
  Floor: elementwise.floats,
  Ceil: elementwise.floats,
  Round: elementwise.floats,
  Max: elementwise.numbers,
  Min: elementwise.numbers,
  Clip: elementwise.numbers,
  Identity: elementwise.anything,
  Softmax: matrices.alongAxis,
  LogSoftmax: matrices.alongAxis,
  And: elementwise.truths,
  Or: elementwise.truths,
  Xor: elementwise.truths,
  Not: elementwise.truths,
  BitShift: elementwise.integers,
  BitwiseXor: elementwise.integers,
  Equal: elementwise.equality,
  Less: elementwise.comparison,
  LessOrEqual: elementwise.comparison,
  Greater: elementwise.comparison,
  GreaterOrEqual: elementwise.comparison,
  IsNaN: elementwise.floatTest,
  IsInf: elementwise.floatTest,
  Where: elementwise.where,
  Cast: shapes.cast,
  LayerNormalization: matrices.layerNormalization,
  MatMul: matrices.matMul,
  Gemm: matrices.gemm,
  ReduceSum: matrices.reduction,
  ReduceMean: matrices.reduction,
  ReduceMax: matrices.reduction,
  ReduceMin: matrices.reduction,
  ArgMax: matrices.position,
  CumSum: shapes.runningSum,
  Transpose: shapes.transpose,
  Reshape: shapes.reshape,
  Expand: shapes.expand,
  Split: shapes.split,
  Concat: shapes.concat,
  Slice: shapes.slice,
  Gather: shapes.gather,
  GatherElements: shapes.gatherElements,
  ScatterElements: shapes.scatterElements,
  ScatterND: shapes.scatterNd,
  Shape: shapes.shape,
  ConstantOfShape: shapes.constantOfShape,
  Range: shapes.range,
} as const satisfies Record<string, Inference>;

export type OpName = keyof typeof INFERENCE;

/** An operator was applied to what it does not take. */
export class InvalidApplication extends Error {
  /** What is wrong, going on from the operator's name. */
  readonly why: string;

  constructor(op: OpName, { inputs }: Application, why: string, options?: ErrorOptions) {
    const types = inputs.map(({ dtype, shape }) => `${dtype} [${shape.join(',')}]`);
    super(`internal: ${op}(${types.join(', ')}): ${why}`, options);
    this.why = why;
  }
}

/** Types of an operator's outputs. @throws InvalidApplication when its inputs do not fit it */
export function inferOutputs(op: OpName, application: Application): readonly TensorType[] {
  try {
    return INFERENCE[op](application).map((type) => operand(type));
  } catch (cause) {
    if (!(cause instanceof Mismatch)) throw cause;
    throw new InvalidApplication(op, application, cause.message, { cause });
  }
}
