import { Failure } from '../plan/failures.ts';
import type { Device } from './devices/device.ts';
import { openDeviceState } from './devices/device-state.ts';
import type { ModelGraph } from './models/model-graph.ts';
import { elementsOf } from './models/parameters.ts';
import type { ModelDefinition } from './model.ts';
import type { Precision } from './models/precision.ts';
import type { Optimizer } from './optimizers/optimizer.ts';
import type { OptimizerOptions } from './optimizers/optimizer-options.ts';
import { allocateTrainingState, type TrainingState } from './optimizers/training-state.ts';
import { limitedTo, passesOf, type PackingLimits, type Pass } from './packing.ts';
import { PassTensors, type Example } from './pass-tensors.ts';
import {
  allocateTensorData,
  type NamedValues,
  type Runtime,
  type Session,
  type Tensor,
} from './runtime/runtime.ts';
import { openHostMemory, type LossScale, type StateMemory } from './state-memory.ts';
import type { Trainable } from './trainable.ts';

export interface TrainingSessionInput {
  readonly runtime: Runtime;
  readonly model: ModelDefinition;
  readonly trainable: Trainable;
  readonly labelSmoothing: number;
  readonly optimizer: OptimizerOptions;
  readonly padTokenId: number | null;
  readonly limits: PackingLimits;
  readonly threads: number;
  /**
   * Where parameters, gradients and moments stay, and passes and optimizer run. Without it they are
   * in the state's own memory, and the optimizer is not a graph.
   */
  readonly device?: Device;
  /** Of matrix products; float32 when left out. */
  readonly precision?: Precision;
}

export interface PassLimit {
  /** Most tokens of a pass; a longer example is a pass of its own. */
  readonly tokensPerPass: number;
  /** Told when memory ran out: from then on passes have at most so many tokens. */
  readonly onSmaller: (tokensPerPass: number) => void;
}

export interface BatchGradients {
  /** Σ weight × loss over the targets. */
  readonly loss: number;
  /** Token positions that were computed, padding included. */
  readonly computedTokens: number;
}

/** A compiled model with its training state, and the optimizer on it. */
export interface TrainingSession {
  /** Of the parameters that are trained, in our memory. @see StateMemory.download */
  readonly state: TrainingState;
  readonly optimizer: Optimizer;
  /** Set it between steps; what `computeGradients` and the optimizer answer is without it. */
  readonly lossScale: LossScale;
  /** Tensors of all parameters and adapters, by name, as they are until the next update. */
  parameters(): NamedValues;
  /** A parameter's or adapter's elements in our memory. @see StateMemory.download */
  weights(name: string): Float32Array;
  /** @see StateMemory.upload */
  upload(): Promise<void>;
  /** @see StateMemory.download */
  download(): Promise<void>;
  /** Limits the passes to come further than the session's own limits do. */
  limitPasses(limit: PassLimit): void;
  /** Fills the gradients with those of the examples' loss. */
  computeGradients(examples: readonly Example[]): Promise<BatchGradients>;
  close(): Promise<void>;
}

/** Compiles the training graph and allocates the state; parameters start as zeros. */
export async function openTrainingSession(input: TrainingSessionInput): Promise<TrainingSession> {
  const { runtime, trainable, threads, device, optimizer: options } = input;
  const graph = trainingGraph(input);
  const specs = trainable.parameters.map((spec) => ({
    ...spec,
    isSparse: graph.sparse.includes(spec.name),
  }));
  const state = allocateTrainingState(specs, options);
  // Parameters that nothing changes have memory of their own: no gradients, no moments.
  const frozen = trainable.frozen.map(
    (spec) => [spec, allocateTensorData('float32', elementsOf(spec))] as const,
  );
  const lossScale: LossScale = { value: 1 };
  const shared = { runtime, state, frozen, optimizer: options };
  const memory =
    device === undefined
      ? await openHostMemory({ ...shared, threads })
      : openDeviceState({ ...shared, device, lossScale });
  const passes = new Passes(input, graph, memory, lossScale);
  const { optimizer, parameters, upload, download } = memory;
  return {
    ...{ state, optimizer, lossScale, parameters, upload, download },
    weights: weightsOf(state, frozen),
    limitPasses: (limit) => passes.limit(limit),
    computeGradients: (examples) => passes.run(examples),
    close: async () => {
      passes.release();
      await memory.close();
    },
  };
}

function weightsOf(
  state: TrainingState,
  frozen: readonly (readonly [{ readonly name: string }, Float32Array])[],
): (name: string) => Float32Array {
  const views = new Map<string, Float32Array>([
    ...frozen.map(([{ name }, data]) => [name, data] as const),
    ...state.tensors.map((tensor) => [tensor.name, state.view('parameters', tensor)] as const),
  ]);
  return (name) => {
    const view = views.get(name);
    if (view === undefined) throw new Error(`internal: the training has no ${name}`);
    return view;
  };
}

function trainingGraph(input: TrainingSessionInput): ModelGraph {
  const { model, trainable, labelSmoothing, device, precision = 'float32' } = input;
  return model.trainingGraph({
    trainable: trainable.parameters.map(({ name }) => name),
    adapters: trainable.adapters,
    ...{ labelSmoothing, precision, dropout: true },
    // A device's memory is its own to write.
    sparse: device === undefined,
  });
}

function compile(input: TrainingSessionInput, { onnx }: ModelGraph): Session {
  const { runtime, model, threads, device } = input;
  return runtime.createSession(onnx, {
    threads: model.sessionThreads(threads),
    ...(device !== undefined && { device }),
  });
}

/** Tokens of a pass that are not shared out any further: about one tweet's. */
const SMALLEST_PASS = 32;

/** Runs effective batches in passes over one compiled graph. */
class Passes {
  readonly #input: TrainingSessionInput;
  readonly #session: Session;
  readonly #memory: StateMemory;
  readonly #lossScale: LossScale;
  readonly #loss: Tensor<'float32'>;
  readonly #tensors: PassTensors;
  #limits: PackingLimits;
  #onSmaller: PassLimit['onSmaller'] = () => undefined;

  constructor(
    input: TrainingSessionInput,
    graph: ModelGraph,
    memory: StateMemory,
    lossScale: LossScale,
  ) {
    const { runtime } = input;
    this.#input = input;
    this.#session = compile(input, graph);
    this.#memory = memory;
    this.#lossScale = lossScale;
    this.#limits = input.limits;
    this.#tensors = new PassTensors(runtime);
    const data = allocateTensorData('float32', 1);
    this.#loss = runtime.createTensor({ elementType: 'float32', shape: [], data });
  }

  limit({ tokensPerPass, onSmaller }: PassLimit): void {
    this.#limits = limitedTo(this.#limits, tokensPerPass);
    this.#onSmaller = onSmaller;
  }

  /** When memory runs out, the same batch runs in smaller passes, and so do all after it. */
  async run(examples: readonly Example[]): Promise<BatchGradients> {
    const lengths = examples.map(({ inputIds }) => inputIds.length);
    let failed = Infinity;
    for (;;) {
      const passes = passesOf(lengths, this.#limits, this.#input.model.imported);
      try {
        return await this.#runAll(passes, examples);
      } catch (error) {
        if (!(error instanceof Failure) || error.type !== 'OutOfMemory') throw error;
        const largest = Math.max(...passes.map(({ rows, tokens }) => rows * tokens));
        // A graph for batches of one size takes no smaller ones.
        if (largest >= failed || largest <= Math.max(SMALLEST_PASS, ...lengths)) throw error;
        failed = largest;
        this.#limits = limitedTo(this.#limits, Math.floor(largest / 2));
        this.#onSmaller(this.#limits.tokensPerPass);
      }
    }
  }

  async #runAll(passes: readonly Pass[], examples: readonly Example[]): Promise<BatchGradients> {
    const { model, padTokenId } = this.#input;
    const { valuesWidth } = model;
    const memory = this.#memory;
    const scale = this.#lossScale.value;
    let total = 0;
    let computedTokens = 0;
    for (const [index, pass] of passes.entries()) {
      const bound = this.#tensors.bind({ pass, examples, padTokenId, valuesWidth, scale });
      try {
        const { tokenIds } = bound;
        const gradients = memory.gradients({ isFirst: index === 0, tokenIds });
        const inputs = { ...bound.inputs, ...memory.parameters(), ...gradients.zeros };
        await this.#session.run(inputs, { loss: this.#loss, ...gradients.outputs });
      } finally {
        bound.release();
      }
      if (index > 0) await memory.optimizer.accumulate();
      total += (this.#loss.data[0] ?? NaN) / scale;
      computedTokens += pass.rows * pass.tokens;
    }
    return { loss: total, computedTokens };
  }

  release(): void {
    this.#loss.release();
    this.#session.release();
  }
}
