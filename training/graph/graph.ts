import { createHash } from 'node:crypto';
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
  /** What the node comes from, in words, when the graph was read from a file. */
  readonly origin?: string;
}

/** Elements of a bool constant are 0 or 1. */
export type ConstantData = Float32Array | BigInt64Array | Int32Array | Uint32Array | Uint8Array;

/** Bytes of a constant that are kept as they are to find an equal one. */
const SMALL_CONSTANT = 256;

/**
 * A computation as a list of ONNX nodes in an order in which they can run.
 * Equal nodes and equal constants exist once: every operator used is a function of its inputs.
 */
export class Graph {
  readonly inputs: Value[] = [];
  readonly nodes: Node[] = [];
  readonly outputs = new Map<string, Value>();
  readonly constants = new Map<Value, ConstantData>();
  /** Lengths that int64 vectors and scalars hold, where one is known only by name. */
  readonly shapeVectors = new Map<Value, Shape>();
  /** Set while nodes are added that come from a file. @see Node.origin */
  origin: string | undefined;
  readonly #constantsByContent = new Map<string, Value>();
  readonly #nodesByExpression = new Map<string, Node>();
  readonly #inputNames = new Set<string>();
  #count = 0;

  input(name: string, dtype: DataType, shape: Shape): Value {
    if (this.#inputNames.has(name)) {
      throw new Error(`internal: the graph has two inputs named ${name}`);
    }
    const value = { graph: this, name, dtype, shape };
    this.inputs.push(value);
    this.#inputNames.add(name);
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
    const content =
      bytes.length > SMALL_CONSTANT
        ? createHash('sha256').update(bytes).digest('base64')
        : bytes.toString('base64');
    const key = `${dtype} [${shape.join()}] ${content}`;
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
    const { origin } = this;
    const node = { op, inputs, outputs, attributes, ...(origin !== undefined && { origin }) };
    this.nodes.push(node);
    this.#nodesByExpression.set(key, node);
    return outputs;
  }

  #name(stem: string): string {
    const name = `${stem}_${this.#count++}`;
    return this.#inputNames.has(name) ? this.#name(stem) : name;
  }
}
