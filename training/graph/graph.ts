import type { DataType, Shape, TensorSpec } from './tensor-type.ts';
import { inferOutputs, type OpName } from './operators.ts';

/** A tensor of a graph: an input, a constant, or what a node computes. */
export interface Value extends TensorSpec {
  readonly graph: Graph;
}

export type Attribute =
  | { readonly kind: 'int'; readonly value: number }
  | { readonly kind: 'ints'; readonly value: readonly number[] }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string };

export type Attributes = { readonly [name: string]: Attribute };

/** One ONNX operator applied. Everything that walks a graph walks these. */
export interface Node {
  readonly op: OpName;
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly attributes: Attributes;
}

export type ConstantData = Float32Array | BigInt64Array | Int32Array | Uint32Array;

/**
 * A computation as a list of ONNX nodes in an order in which they can run.
 * Equal nodes and equal constants exist once: every operator used is a function of its inputs.
 */
export class Graph {
  readonly inputs: Value[] = [];
  readonly nodes: Node[] = [];
  readonly outputs = new Map<string, Value>();
  readonly constants = new Map<Value, ConstantData>();
  /** Shapes that int64 vectors hold, where a length is known only by name. */
  readonly shapeVectors = new Map<Value, Shape>();
  readonly #constantsByContent = new Map<string, Value>();
  readonly #nodesByExpression = new Map<string, Node>();
  #count = 0;

  input(name: string, dtype: DataType, shape: Shape): Value {
    if (this.inputs.some((input) => input.name === name)) {
      throw new Error(`internal: the graph has two inputs named ${name}`);
    }
    const value = { graph: this, name, dtype, shape };
    this.inputs.push(value);
    return value;
  }

  output(name: string, value: Value): void {
    if (this.outputs.has(name)) {
      throw new Error(`internal: the graph has two outputs named ${name}`);
    }
    this.outputs.set(name, value);
  }

  /** A tensor of fixed values. */
  constant(dtype: DataType, shape: readonly number[], data: ConstantData): Value {
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    const key = `${dtype} [${shape.join()}] ${bytes.toString('base64')}`;
    const known = this.#constantsByContent.get(key);
    if (known !== undefined) return known;
    const value = { graph: this, name: this.#name('constant'), dtype, shape };
    this.constants.set(value, data);
    this.#constantsByContent.set(key, value);
    return value;
  }

  /** Applies an operator. @returns its outputs, with inferred types */
  apply(op: OpName, inputs: readonly Value[], attributes: Attributes = {}): readonly Value[] {
    const key = `${op}(${inputs.map((input) => input.name).join()})${JSON.stringify(attributes)}`;
    const known = this.#nodesByExpression.get(key);
    if (known !== undefined) return known.outputs;
    const types = inferOutputs(op, { inputs, attributes });
    const outputs = types.map((type) => ({ graph: this, name: this.#name(op), ...type }));
    const node = { op, inputs, outputs, attributes };
    this.nodes.push(node);
    this.#nodesByExpression.set(key, node);
    return outputs;
  }

  #name(stem: string): string {
    return `${stem}_${this.#count++}`;
  }
}
