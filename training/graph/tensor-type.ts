/** Element types that the graphs use, by ONNX name. */
export type DataType = 'float32' | 'float16' | 'bfloat16' | 'int64' | 'int32' | 'uint32' | 'bool';

/**
 * Length of one axis: a number, or a product of named lengths that are known when the graph runs:
 * `T`, `R*T`, `4*T`. One graph so serves every number of rows and tokens.
 */
export type Dimension = number | string;

export type Shape = readonly Dimension[];

/** A named tensor that goes into or comes out of a graph. */
export interface TensorSpec {
  readonly name: string;
  readonly dtype: DataType;
  readonly shape: Shape;
}

/** Element types' numbers in ONNX files (TensorProto.DataType). */
export const DATA_TYPE_NUMBERS = {
  float32: 1,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  uint32: 12,
  bfloat16: 16,
} as const satisfies Record<DataType, number>;
