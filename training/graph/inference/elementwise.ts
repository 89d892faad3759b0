import { broadcast } from '../dimension.ts';
import { Mismatch } from '../mismatch.ts';
import type { DataType, Shape } from '../tensor-type.ts';
import { operand, type Inference, type TensorType } from './operands.ts';

const INTEGERS: readonly DataType[] = ['int64', 'int32', 'uint32'];
const FLOATS: readonly DataType[] = ['float32'];
const NUMBERS: readonly DataType[] = [...FLOATS, ...INTEGERS];
const ALL: readonly DataType[] = [...NUMBERS, 'bool'];

/** Operands of one element type among these broadcast to each other; so does the result. */
function elementwise(dtypes: readonly DataType[], result?: DataType): Inference {
  return ({ inputs }) => {
    const { dtype } = operand(inputs[0], dtypes);
    if (inputs.some((input) => input.dtype !== dtype)) throw new Mismatch('element types differ');
    return [{ dtype: result ?? dtype, shape: broadcastShapes(inputs) }];
  };
}

export const numbers = elementwise(NUMBERS);
export const floats = elementwise(FLOATS);
export const integers = elementwise(INTEGERS);
export const truths = elementwise(['bool']);
export const anything = elementwise(ALL);

/** Of numbers to bool. */
export const comparison = elementwise(NUMBERS, 'bool');
/** Of numbers or truth values to bool. */
export const equality = elementwise(ALL, 'bool');
/** Of floats to bool. */
export const floatTest = elementwise(FLOATS, 'bool');

export const where: Inference = ({ inputs: [condition, ...branches] }) => {
  const test = operand(condition, ['bool']);
  const [branch] = anything({ inputs: branches, attributes: {} });
  return [{ ...operand(branch), shape: broadcastShapes([test, operand(branch)]) }];
};

function broadcastShapes(operands: readonly TensorType[]): Shape {
  return operands.reduce<Shape>((shape, other) => {
    const result = broadcast(shape, other.shape);
    if (result === undefined) throw new Mismatch('shapes do not broadcast');
    return result;
  }, []);
}
