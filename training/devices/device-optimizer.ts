import type { OptimizerStep } from '../optimizers/optimizer-options.ts';
import type { Optimizer } from '../optimizers/optimizer.ts';
import type { StateRegion, TrainingState } from '../optimizers/training-state.ts';
import {
  allocateTensorData,
  type DeviceTensor,
  type Runtime,
  type Session,
  type Tensor,
} from '../runtime/runtime.ts';
import type { LossScale } from '../state-memory.ts';
import type { DeviceTensors } from './device-state.ts';
import { groupTensors, type TensorGroup } from './tensor-groups.ts';
import {
  accumulationGraph,
  squareSumGraph,
  updateGraph,
  type UpdateRule,
} from './update-graphs.ts';

export interface DeviceOptimizerInput {
  readonly runtime: Runtime;
  readonly tensors: DeviceTensors;
  readonly state: TrainingState;
  readonly rule: UpdateRule;
  /** What gradients are multiplied by. */
  readonly lossScale: LossScale;
}

type GraphKind = 'update' | 'accumulation' | 'squareSum';

/**
 * An optimizer as ONNX graphs on a device. A graph writes new tensors beside those that it reads,
 * as WebGPU forbids to write what is read; then old and new change places.
 */
export class DeviceOptimizer implements Optimizer {
  readonly #input: DeviceOptimizerInput;
  readonly #groups: readonly TensorGroup[];
  readonly #sessions = new Map<string, Session>();
  /** By group's key and slot: tensors that hold nothing of use. */
  readonly #spares = new Map<string, DeviceTensor[]>();
  readonly #scalars: Tensor<'float32'>;
  readonly #factor: Tensor<'float32'>;
  readonly #sum: Tensor<'float32'>;

  constructor(input: DeviceOptimizerInput) {
    this.#input = input;
    this.#groups = groupTensors(input.state.tensors);
    const vector = (length: number): Tensor<'float32'> => {
      const data = allocateTensorData('float32', length);
      return input.runtime.createTensor({ elementType: 'float32', shape: [length], data });
    };
    this.#scalars = vector(input.rule.width);
    this.#factor = vector(1);
    this.#sum = vector(1);
  }

  async accumulate(): Promise<void> {
    for (const group of this.#groups) {
      const inputs = { ...this.#read(group, 'gradients'), ...this.#read(group, 'passGradients') };
      await this.#rewrite(group, 'accumulation', inputs, ['gradients']);
    }
  }

  /** Of each group in float32, of all in float64. Of the gradients without the loss's scale. */
  async gradientNorm(): Promise<number> {
    let total = 0;
    this.#factor.data[0] = 1 / this.#input.lossScale.value;
    for (const group of this.#groups) {
      const inputs = { ...this.#read(group, 'gradients'), factor: this.#factor };
      await this.#session(group, 'squareSum').run(inputs, { sum: this.#sum });
      total += this.#sum.data[0] ?? NaN;
    }
    return Math.sqrt(total);
  }

  async update(at: OptimizerStep): Promise<void> {
    const { rule, lossScale } = this.#input;
    const gradientScale = at.gradientScale / lossScale.value;
    this.#scalars.data.set(rule.scalars({ ...at, gradientScale }));
    for (const group of this.#groups) {
      const slots = rule.slots.map((slot) => this.#read(group, slot));
      const inputs = Object.assign(this.#read(group, 'gradients'), ...slots);
      await this.#rewrite(group, 'update', { ...inputs, scalars: this.#scalars }, rule.slots);
    }
  }

  async close(): Promise<void> {
    for (const session of this.#sessions.values()) session.release();
    for (const spares of this.#spares.values()) for (const spare of spares) spare.release();
    for (const tensor of [this.#scalars, this.#factor, this.#sum]) tensor.release();
  }

  #read({ tensors }: TensorGroup, region: StateRegion): Record<string, DeviceTensor> {
    const held = tensors.map((tensor) => this.#input.tensors.get(region, tensor));
    return Object.fromEntries(held.map((tensor, i) => [`${region}.${i}`, tensor]));
  }

  /** Computes a group's tensors of some regions anew. */
  async #rewrite(
    group: TensorGroup,
    kind: GraphKind,
    inputs: Readonly<Record<string, Tensor | DeviceTensor>>,
    regions: readonly StateRegion[],
  ): Promise<void> {
    const spares = regions.map((_, place) => this.#sparesOf(group, place));
    const outputs = regions.flatMap((region, place) =>
      (spares[place] ?? []).map((spare, i) => [`next.${region}.${i}`, spare] as const),
    );
    await this.#session(group, kind).run(inputs, Object.fromEntries(outputs));
    for (const [place, region] of regions.entries()) {
      const written = spares[place] ?? [];
      for (const [i, tensor] of group.tensors.entries()) {
        const next = written[i];
        const before = next && this.#input.tensors.set(region, tensor, next);
        if (before === undefined) throw new Error(`internal: ${tensor.name} was not there`);
        written[i] = before;
      }
    }
  }

  #sparesOf({ key, tensors }: TensorGroup, place: number): DeviceTensor[] {
    const name = `${place} ${key}`;
    const known = this.#spares.get(name);
    if (known !== undefined) return known;
    const { memory } = this.#input.tensors;
    const spares = tensors.map(({ shape }) => memory.allocate(shape));
    this.#spares.set(name, spares);
    return spares;
  }

  #session({ key, tensors }: TensorGroup, kind: GraphKind): Session {
    const name = `${kind} ${key}`;
    const known = this.#sessions.get(name);
    if (known !== undefined) return known;
    const { device } = this.#input.tensors.memory;
    const graph = this.#graph(kind, tensors);
    const session = this.#input.runtime.createSession(graph, { threads: 1, device });
    this.#sessions.set(name, session);
    return session;
  }

  #graph(kind: GraphKind, tensors: TensorGroup['tensors']): Uint8Array {
    switch (kind) {
      case 'update':
        return updateGraph(this.#input.rule, tensors);
      case 'accumulation':
        return accumulationGraph(tensors);
      case 'squareSum':
        return squareSumGraph(tensors);
    }
  }
}
