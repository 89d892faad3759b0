import type { OpName } from '../operators.ts';
import * as elementwise from './elementwise.ts';
import { gemmRule, matMulRule } from './matrices.ts';
import * as reductions from './reductions.ts';
import { noGradient, notDifferentiable, type Rule } from './rule.ts';
import * as shapes from './shapes.ts';

/** How every operator is differentiated; an operator without an entry does not compile. */
export const RULES: Readonly<Record<OpName, Rule>> = {
  Add: elementwise.addRule,
  Sub: elementwise.subRule,
  Mul: elementwise.mulRule,
  Div: elementwise.divRule,
  Neg: elementwise.negRule,
  Exp: elementwise.expRule,
  Log: notDifferentiable(
    'ONNX Runtime rounds it differently with each number of threads, so training would not repeat',
  ),
  Sqrt: elementwise.sqrtRule,
  Reciprocal: elementwise.reciprocalRule,
  Sigmoid: elementwise.sigmoidRule,
  Tanh: elementwise.tanhRule,
  Relu: elementwise.reluRule,
  Erf: elementwise.erfRule,
  Identity: elementwise.identityRule,
  Softmax: reductions.softmaxRule,
  LogSoftmax: reductions.logSoftmaxRule,
  And: noGradient,
  BitShift: noGradient,
  BitwiseXor: noGradient,
  Equal: noGradient,
  LessOrEqual: noGradient,
  Where: elementwise.whereRule,
  // Element types have one float type, so every cast goes to or from integers.
  Cast: noGradient,
  LayerNormalization: reductions.layerNormalizationRule,
  MatMul: matMulRule,
  Gemm: gemmRule,
  ReduceSum: reductions.reduceSumRule,
  ReduceMean: reductions.reduceMeanRule,
  Transpose: shapes.transposeRule,
  Reshape: shapes.reshapeRule,
  Expand: shapes.expandRule,
  Split: shapes.splitRule,
  Concat: shapes.concatRule,
  Gather: shapes.gatherRule,
  GatherElements: shapes.gatherElementsRule,
  ScatterElements: shapes.scatterElementsRule,
  Shape: noGradient,
  ConstantOfShape: noGradient,
};
