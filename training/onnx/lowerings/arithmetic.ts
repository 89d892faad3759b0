import type { Value } from '../../graph/graph.ts';
import { Mismatch } from '../../graph/mismatch.ts';
import * as ops from '../../graph/ops.ts';
import type { OpName } from '../../graph/operators.ts';
import type { FileNode, Lowering } from '../file-node.ts';
import { dataTypeOf } from '../tensor-data.ts';
import type { DataType } from '../../graph/tensor-type.ts';

/** An operator without attributes that our graphs have too. */
export function same(op: OpName): Lowering {
  return (node) => [node.apply(op, node.allInputs)];
}

/** An operator on any number of operands, as one on two. */
export function folded(combine: (a: Value, b: Value) => Value): Lowering {
  return (node) => [node.allInputs.reduce(combine)];
}

export const identity: Lowering = (node) => [node.input(0)];

/** Mean of the operands: their sum by their number. */
export const mean: Lowering = (node) => [
  ops.mul(node.allInputs.map((_, i) => node.floatInput(i)).reduce(ops.add), 1 / node.inputs.length),
];

/** Powers that exporters write down for squares and roots, without Pow's detour by logarithms. */
export const power: Lowering = (node) => {
  const [x, exponent] = [node.floatInput(0), node.input(1)];
  const number = constantNumber(exponent);
  switch (number) {
    case 0.5:
      return [ops.sqrt(x)];
    case 1:
      return [x];
    case 2:
      return [ops.mul(x, x)];
    case 3:
      return [ops.mul(ops.mul(x, x), x)];
    case -1:
      return [ops.reciprocal(x)];
    default:
      return [ops.pow(x, ops.cast(exponent, 'float32'))];
  }
};

/** The value of a constant of one element. */
function constantNumber(value: Value): number | undefined {
  const data = value.graph.constants.get(value);
  return data?.length === 1 && value.shape.length === 0 ? Number(data[0]) : undefined;
}

const LARGEST: { readonly [dtype in DataType]?: number } = {
  float32: 3.4028234663852886e38,
  int32: 2 ** 31 - 1,
  int64: Number.MAX_SAFE_INTEGER,
};

/** A bound that is left out is the largest number there is. */
export const clip: Lowering = (node) => {
  const x = node.input(0);
  const largest = LARGEST[x.dtype];
  if (largest === undefined) throw new Mismatch(`does not take ${x.dtype}`);
  const bound = (index: number, otherwise: number): Value =>
    node.inputs[index] ?? ops.scalar(node.graph, x.dtype, otherwise);
  return [node.apply('Clip', [x, bound(1, -largest), bound(2, largest)])];
};

export const modulo: Lowering = (node) => {
  if (node.flag('fmod', 0) !== 0) throw new Mismatch('has fmod 1, which is not known');
  return [node.apply('Mod', node.allInputs)];
};

/** Between floats of any precision nothing happens: all are float32 in our graphs. */
export const cast: Lowering = (node) => [ops.cast(node.input(0), dataTypeOf(node.int('to', 0)))];

export const castLike: Lowering = (node) => [ops.cast(node.input(0), node.input(1).dtype)];

/** Matrices as they are; a vector as a matrix of one row or column, whose axis then goes again. */
export const matrixProduct: Lowering = (node) => {
  const [a, b] = [node.input(0), node.input(1)];
  const left = a.shape.length === 1 ? ops.reshape(a, [1, ...a.shape]) : a;
  const right = b.shape.length === 1 ? ops.reshape(b, [...b.shape, 1]) : b;
  const product = ops.matMul(left, right);
  const batch = product.shape.slice(0, -2);
  const rows = a.shape.length === 1 ? [] : product.shape.slice(-2, -1);
  const columns = b.shape.length === 1 ? [] : product.shape.slice(-1);
  return [ops.reshape(product, [...batch, ...rows, ...columns])];
};

export const gemm: Lowering = (node) => [
  node.apply(
    'Gemm',
    node.inputs.filter((input) => input !== undefined),
    {
      alpha: { kind: 'float', value: node.float('alpha', 1) },
      beta: { kind: 'float', value: node.float('beta', 1) },
      transA: { kind: 'int', value: node.flag('transA', 0) },
      transB: { kind: 'int', value: node.flag('transB', 0) },
    },
  ),
];

/** A training dropout would be another one each run: ours are functions of the batch. */
export const dropout: Lowering = (node) => {
  const [x, mode] = [node.input(0), node.inputs[2]];
  const data = mode && node.graph.constants.get(mode);
  const isTraining = mode !== undefined && (data === undefined || Number(data[0]) !== 0);
  if (!isTraining) return [x, ...(node.outputCount > 1 ? [allTrue(node, x)] : [])];
  throw new Mismatch(
    'drops out at random: export the model in evaluation mode, after model.eval()',
  );
};

function allTrue(node: FileNode, x: Value): Value {
  return ops.expand(ops.scalar(node.graph, 'bool', 1), x.shape);
}

/** Only for elements that are infinite either way. */
export const isInfinite: Lowering = (node) => {
  if (node.flag('detect_negative', 1) !== 1 || node.flag('detect_positive', 1) !== 1) {
    throw new Mismatch('detects infinities of one sign, which is not known');
  }
  return [node.apply('IsInf', [node.input(0)])];
};

/** `condition ? a : b`; of truth values by And and Or, which every ONNX Runtime has. */
export const where: Lowering = (node) => {
  const [condition, a, b] = [node.input(0), node.input(1), node.input(2)];
  if (a.dtype !== 'bool') return [node.apply('Where', [condition, a, b])];
  return [ops.or(ops.and(condition, a), ops.and(ops.not(condition), b))];
};
