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
  Add: takes(2, elementwise.numbers),
  Sub: takes(2, elementwise.numbers),
  Mul: takes(2, elementwise.numbers),
  Div: takes(2, elementwise.numbers),
  Mod: takes(2, elementwise.integers),
  Neg: takes(1, elementwise.numbers),
  Abs: takes(1, elementwise.numbers),
  Sign: takes(1, elementwise.numbers),
  Exp: takes(1, elementwise.floats),
  Log: takes(1, elementwise.floats),
  Sqrt: takes(1, elementwise.floats),
  Pow: takes(2, elementwise.floats),
  Reciprocal: takes(1, elementwise.floats),
  Sin: takes(1, elementwise.floats),
  Cos: takes(1, elementwise.floats),
  Sigmoid: takes(1, elementwise.floats),
  Tanh: takes(1, elementwise.floats),
  Relu: takes(1, elementwise.floats),
  Erf: takes(1, elementwise.floats),
  Floor: takes(1, elementwise.floats),
  Ceil: takes(1, elementwise.floats),
  Round: takes(1, elementwise.floats),
  Max: takes(2, elementwise.numbers),
  Min: takes(2, elementwise.numbers),
  Clip: takes(3, elementwise.numbers),
  Identity: takes(1, elementwise.anything),
  Softmax: takes(1, matrices.alongAxis),
  LogSoftmax: takes(1, matrices.alongAxis),
  And: takes(2, elementwise.truths),
  Or: takes(2, elementwise.truths),
  Xor: takes(2, elementwise.truths),
  Not: takes(1, elementwise.truths),
  BitShift: takes(2, elementwise.integers),
  BitwiseXor: takes(2, elementwise.integers),
  Equal: takes(2, elementwise.equality),
  Less: takes(2, elementwise.comparison),
  LessOrEqual: takes(2, elementwise.comparison),
  Greater: takes(2, elementwise.comparison),
  GreaterOrEqual: takes(2, elementwise.comparison),
  IsNaN: takes(1, elementwise.floatTest),
  IsInf: takes(1, elementwise.floatTest),
  Where: takes(3, elementwise.where),
  Cast: takes(1, shapes.cast),
  LayerNormalization: takes(3, matrices.layerNormalization),
  MatMul: takes(2, matrices.matMul),
  Gemm: matrices.gemm,
  ReduceSum: takes(2, matrices.reduction),
  ReduceMean: takes(2, matrices.reduction),
  ReduceMax: takes(2, matrices.reduction),
  ReduceMin: takes(2, matrices.reduction),
  ArgMax: takes(1, matrices.position),
  CumSum: takes(2, shapes.runningSum),
  Transpose: takes(1, shapes.transpose),
  Reshape: takes(2, shapes.reshape),
  Expand: takes(2, shapes.expand),
  Split: takes(2, shapes.split),
  Concat: shapes.concat,
  Slice: takes(5, shapes.slice),
  Gather: takes(2, shapes.gather),
  GatherElements: takes(2, shapes.gatherElements),
  ScatterElements: takes(3, shapes.scatterElements),
  ScatterND: takes(3, shapes.scatterNd),
  Shape: takes(1, shapes.shape),
  ConstantOfShape: takes(1, shapes.constantOfShape),
  Range: takes(3, shapes.range),
} as const satisfies Record<string, Inference>;

export type OpName = keyof typeof INFERENCE;

/** An operator of so many inputs. */
function takes(count: number, inference: Inference): Inference {
  return (application) => {
    const { length } = application.inputs;
    if (length !== count) throw new Mismatch(`takes ${count} inputs, found ${length}`);
    return inference(application);
  };
}

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
