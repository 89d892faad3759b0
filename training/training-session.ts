import { Failure } from '../plan/failures.ts';
import { gradientName, type ParameterSpec } from './models/model-graph.ts';
import { elementsOf } from './models/parameters.ts';
import type { ModelDefinition } from './model.ts';
import { openOptimizer, type Optimizer } from './optimizers/optimizer.ts';
import type { OptimizerOptions } from './optimizers/optimizer-options.ts';
import {
  allocateTrainingState,
  type StateRegion,
  type TrainingState,
} from './optimizers/training-state.ts';
import { limitedTo, passesOf, type PackingLimits, type Pass } from './packing.ts';
import { PassTensors, type Example } from './pass-tensors.ts';
import {
  allocateTensorData,
  type NamedTensors,
  type Runtime,
  type Session,
  type Tensor,
} from './runtime/runtime.ts';
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
  /** Of the parameters that are trained. */
  readonly state: TrainingState;
  readonly optimizer: Optimizer;
  /** Tensors of all parameters and adapters, by name. */
  readonly parameters: NamedTensors;
  /** A parameter's or adapter's elements, in place. */
  weights(name: string): Float32Array;
  /** Limits the passes to come further than the session's own limits do. */
  limitPasses(limit: PassLimit): void;
  /** Fills the state's gradients with those of the examples' loss. */
  computeGradients(examples: readonly Example[]): Promise<BatchGradients>;
  close(): Promise<void>;
}

/** Compiles the training graph and allocates the state; parameters start as zeros. */
export async function openTrainingSession(input: TrainingSessionInput): Promise<TrainingSession> {
  const { runtime, trainable, threads } = input;
  const state = allocateTrainingState(trainable.parameters, input.optimizer);
  const parameters = {
    ...frozenTensors(runtime, trainable.frozen),
    ...regionTensors(runtime, state, 'parameters', (name) => name),
  };
  const passes = new Passes(input, parameters, state);
  const optimizer = await openOptimizer(state, input.optimizer, threads);
  return {
    ...{ state, optimizer, parameters },
    weights: (name) => {
      const tensor = parameters[name];
      if (tensor === undefined) throw new Error(`internal: the training has no ${name}`);
      return tensor.data as Float32Array;
    },
    limitPasses: (limit) => passes.limit(limit),
    computeGradients: (examples) => passes.run(examples, optimizer),
    close: async () => {
      await optimizer.close();
      passes.release();
      Object.values(parameters).forEach((tensor) => tensor.release());
    },
  };
}

function compile(input: TrainingSessionInput): Session {
  const { runtime, model, trainable, labelSmoothing, threads } = input;
  const { onnx } = model.trainingGraph({
    trainable: trainable.parameters.map(({ name }) => name),
    adapters: trainable.adapters,
    ...{ labelSmoothing, dropout: true },
  });
  return runtime.createSession(onnx, { threads: model.sessionThreads(threads) });
}

/** Tokens of a pass that are not shared out any further: about one tweet's. */
const SMALLEST_PASS = 32;

/** Runs effective batches in passes over one compiled graph. */
class Passes {
  readonly #input: TrainingSessionInput;
  readonly #session: Session;
  readonly #parameters: NamedTensors;
  readonly #gradients: NamedTensors;
  readonly #passGradients: NamedTensors;
  readonly #loss: Tensor<'float32'>;
  readonly #tensors: PassTensors;
  #limits: PackingLimits;
  #onSmaller: PassLimit['onSmaller'] = () => undefined;

  constructor(input: TrainingSessionInput, parameters: NamedTensors, state: TrainingState) {
    const { runtime } = input;
    this.#input = input;
    this.#session = compile(input);
    this.#parameters = parameters;
    this.#limits = input.limits;
    this.#gradients = regionTensors(runtime, state, 'gradients', gradientName);
    this.#passGradients = regionTensors(runtime, state, 'passGradients', gradientName);
    this.#tensors = new PassTensors(runtime);
    const data = allocateTensorData('float32', 1);
    this.#loss = runtime.createTensor({ elementType: 'float32', shape: [], data });
  }

  limit({ tokensPerPass, onSmaller }: PassLimit): void {
    this.#limits = limitedTo(this.#limits, tokensPerPass);
    this.#onSmaller = onSmaller;
  }

  /** When memory runs out, the same batch runs in smaller passes, and so do all after it. */
  async run(examples: readonly Example[], optimizer: Optimizer): Promise<BatchGradients> {
    const lengths = examples.map(({ inputIds }) => inputIds.length);
    for (;;) {
      const passes = passesOf(lengths, this.#limits, this.#input.model.imported);
      try {
        return await this.#runAll(passes, examples, optimizer);
      } catch (error) {
        if (!(error instanceof Failure) || error.type !== 'OutOfMemory') throw error;
        const largest = Math.max(...passes.map(({ rows, tokens }) => rows * tokens));
        if (largest <= Math.max(SMALLEST_PASS, ...lengths)) throw error;
        this.#limits = limitedTo(this.#limits, Math.floor(largest / 2));
        this.#onSmaller(this.#limits.tokensPerPass);
      }
    }
  }

  async #runAll(
    passes: readonly Pass[],
    examples: readonly Example[],
    optimizer: Optimizer,
  ): Promise<BatchGradients> {
    const { model, padTokenId } = this.#input;
    const { valuesWidth } = model;
    let total = 0;
    let computedTokens = 0;
    for (const [index, pass] of passes.entries()) {
      const bound = this.#tensors.bind({ pass, examples, padTokenId, valuesWidth });
      try {
        const inputs = { ...bound.inputs, ...this.#parameters };
        const gradients = index === 0 ? this.#gradients : this.#passGradients;
        await this.#session.run(inputs, { loss: this.#loss, ...gradients });
      } finally {
        bound.release();
      }
      if (index > 0) await optimizer.accumulate();
      total += this.#loss.data[0] ?? NaN;
      computedTokens += pass.rows * pass.tokens;
    }
    return { loss: total, computedTokens };
  }

  release(): void {
    const tensors = [this.#gradients, this.#passGradients].flatMap(Object.values<Tensor>);
    [...tensors, this.#loss].forEach((tensor) => tensor.release());
    this.#session.release();
  }
}

/** Parameters that nothing changes have memory of their own: no gradients, no moments. */
function frozenTensors(runtime: Runtime, specs: readonly ParameterSpec[]): NamedTensors {
  return Object.fromEntries(
    specs.map((spec) => [
      spec.name,
      runtime.createTensor({
        elementType: 'float32',
        shape: spec.shape,
        data: allocateTensorData('float32', elementsOf(spec)),
      }),
    ]),
  );
}

function regionTensors(
  runtime: Runtime,
  state: TrainingState,
  region: StateRegion,
  nameOf: (parameter: string) => string,
): NamedTensors {
  return Object.fromEntries(
    state.tensors.map((tensor) => [
      nameOf(tensor.name),
      runtime.createTensor({
        elementType: 'float32',
        shape: tensor.shape,
        data: state.view(region, tensor),
      }),
    ]),
  );
}
