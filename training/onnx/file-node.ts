import type { AttributeProto, NodeProto, TensorProto } from 'onnx-buf';
import type { Attribute, Graph, Value } from '../graph/graph.ts';
import { Mismatch } from '../graph/mismatch.ts';

export const intAttribute = (value: number): Attribute => ({ kind: 'int', value });
export const intsAttribute = (value: readonly number[]): Attribute => ({ kind: 'ints', value });

export interface FileNodeInput {
  readonly proto: NodeProto;
  readonly graph: Graph;
  /** Version of the operators' definitions. */
  readonly opset: number;
  /** undefined where an optional input is left out. */
  readonly inputs: readonly (Value | undefined)[];
  /** Turns a tensor of the file into a constant. */
  readonly constant: (tensor: TensorProto) => Value;
}

/** A node of an .onnx file on its way into a graph. What it lacks throws Mismatch. */
export class FileNode {
  readonly op: string;
  readonly graph: Graph;
  readonly opset: number;
  readonly inputs: readonly (Value | undefined)[];
  /** Outputs that have a name. */
  readonly outputCount: number;
  readonly #attributes: ReadonlyMap<string, AttributeProto>;
  readonly #constant: (tensor: TensorProto) => Value;

  constructor({ proto, graph, opset, inputs, constant }: FileNodeInput) {
    this.op = proto.opType;
    this.graph = graph;
    this.opset = opset;
    this.inputs = inputs;
    this.outputCount = proto.output.length;
    this.#attributes = new Map(proto.attribute.map((attribute) => [attribute.name, attribute]));
    this.#constant = constant;
  }

  input(index: number): Value {
    const value = this.inputs[index];
    if (value === undefined) throw new Mismatch(`lacks its input ${index + 1}`);
    return value;
  }

  /** An input of floats. */
  floatInput(index: number): Value {
    const value = this.input(index);
    if (value.dtype !== 'float32') throw new Mismatch(`does not take ${value.dtype}`);
    return value;
  }

  /** All inputs, at least one, none of which may be left out. */
  get allInputs(): readonly Value[] {
    if (this.inputs.length === 0) throw new Mismatch('lacks its inputs');
    return this.inputs.map((_, index) => this.input(index));
  }

  has(name: string): boolean {
    return this.#attributes.has(name);
  }

  int(name: string, otherwise: number): number {
    const attribute = this.#attributes.get(name);
    return attribute === undefined ? otherwise : Number(attribute.i);
  }

  /** An int that says yes (1) or no (0). */
  flag(name: string, otherwise: 0 | 1): 0 | 1 {
    return this.int(name, otherwise) === 0 ? 0 : 1;
  }

  float(name: string, otherwise: number): number {
    return this.#attributes.get(name)?.f ?? otherwise;
  }

  ints(name: string): readonly number[] | undefined {
    return this.#attributes.get(name)?.ints.map(Number);
  }

  string(name: string, otherwise: string): string {
    const attribute = this.#attributes.get(name);
    return attribute === undefined ? otherwise : new TextDecoder().decode(attribute.s);
  }

  /** A tensor, or whichever of the attributes of Constant stands for one. */
  tensor(name: string): Value | undefined {
    const tensor = this.#attributes.get(name)?.t;
    return tensor && this.#constant(tensor);
  }

  floats(name: string): readonly number[] | undefined {
    return this.#attributes.get(name)?.floats;
  }

  /** The only output of an operator on values. */
  apply(
    op: Parameters<Graph['apply']>[0],
    inputs: readonly Value[],
    attributes: Parameters<Graph['apply']>[2] = {},
  ): Value {
    const [output] = this.graph.apply(op, inputs, attributes);
    if (output === undefined) throw new Error('internal: a node without outputs');
    return output;
  }
}

/** Makes of a node what our graphs compute instead; the values are the node's outputs. */
export type Lowering = (node: FileNode) => readonly Value[];
