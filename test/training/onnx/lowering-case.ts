import { floats, int64s, type FileNodeSpec, type TensorInit } from './onnx-builder.ts';

/** One node, or a few, on x float32 [N,3,4] and i int64 [N]; N is 2 when it runs. */
export interface LoweringCase {
  readonly name: string;
  readonly opsets: readonly number[];
  readonly nodes: readonly FileNodeSpec[];
  readonly initializers?: readonly TensorInit[];
  /** Whether no node is left: what it gives is told when the file is read. */
  readonly isFolded?: true;
}

type Attributes = NonNullable<FileNodeSpec['attributes']>;

export const MODERN = [13, 17, 21];

/** A case of one node that reads x and initializers. */
export function unary(
  op: string,
  attributes: Attributes = {},
  initializers: readonly TensorInit[] = [],
  opsets: readonly number[] = MODERN,
): LoweringCase {
  const inputs = ['x', ...initializers.map(({ name }) => name ?? '')];
  const described = JSON.stringify(attributes, (_, value: unknown) =>
    typeof value === 'bigint' ? Number(value) : value,
  );
  const given = initializers.map(
    ({ int64Data, floatData }) => `[${(int64Data?.length ? int64Data : floatData) ?? ''}]`,
  );
  return {
    name: `${op} ${described} ${given.join(' ')}`,
    opsets,
    nodes: [{ op, inputs, outputs: ['y'], attributes }],
    initializers,
  };
}

export const ints = (name: string, ...data: readonly number[]): TensorInit =>
  int64s(name, [data.length], data);
export const scalar = (name: string, value: number): TensorInit => floats(name, [], [value]);
export const row = floats('b', [4], [0.5, -2, 1.5, 3]);

/** A node between the input and the output. */
export const node = (
  op: string,
  inputs: readonly string[],
  output: string,
  attributes: Attributes = {},
): FileNodeSpec => ({
  ...{ op, inputs, outputs: [output], attributes },
  name: `${op} of ${output}`,
});

/** Truth values of x, then a node on them, then numbers again. */
export const logical = (op: string, inputs: readonly string[] = ['t', 'f']): LoweringCase => ({
  name: op,
  opsets: MODERN,
  initializers: [scalar('zero', 0), row],
  nodes: [
    node('Greater', ['x', 'zero'], 't'),
    node('Less', ['x', 'b'], 'f'),
    node(op, inputs, 'z'),
    node('Cast', ['z'], 'y', { to: 1 }),
  ],
});

export const compared = (op: string, opsets = MODERN): LoweringCase => ({
  name: op,
  opsets,
  initializers: [row],
  nodes: [node(op, ['x', 'b'], 'z'), node('Cast', ['z'], 'y', { to: 6 })],
});
