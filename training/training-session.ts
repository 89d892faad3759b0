import { Failure } from '../plan/failures.ts';
import { gradientName, type ModelGraph, type ParameterSpec } from './models/model-graph.ts';
import { elementsOf } from './models/parameters.ts';
import type { ModelDefinition } from './model.ts';
import { openOptimizer, type Optimizer } from './optimizers/optimizer.ts';
import type { OptimizerOptions } from './optimizers/optimizer-options.ts';
import {
  allocateTrainingState,
  type StateRegion,
  type TrainingState,
} from './optimizers/training-state.ts';
import { packExamples, type PackingLimits } from './packing.ts';
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
  /** Told when memory ran out and passes become smaller. */
  readonly onSmallerPasses?: (limits: PackingLimits) => void;
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
  /** Fills the state's gradients with those of the examples' loss. */
  computeGradients(examples: readonly Example[]): Promise<BatchGradients>;
  close(): Promise<void>;
}

/** Compiles the training graph and allocates the state; parameters start as zeros. */
export async function openTrainingSession(input: TrainingSessionInput): Promise<TrainingSession> {
  const { runtime, model, trainable, threads } = input;
  const state = allocateTrainingState(trainable.parameters, input.optimizer);
  const session = runtime.createSession(trainingGraph(input).onnx, {
    threads: model.sessionThreads(threads),
  });
  const parameters = {
    ...frozenTensors(runtime, trainable.frozen),
    ...regionTensors(runtime, state, 'parameters', (name) => name),
  };
  const passes = new Passes(input, session, parameters, state);
  const optimizer = await openOptimizer(state, input.optimizer, threads);
  return {
    ...{ state, optimizer, parameters },
    weights: (name) => {
      const tensor = parameters[name];
      if (tensor === undefined) throw new Error(`internal: the training has no ${name}`);
      return tensor.data as Float32Array;
    },
    computeGradients: (examples) => passes.run(examples, optimizer),
    close: async () => {
      await optimizer.close();
      passes.release();
      Object.values(parameters).forEach((tensor) => tensor.release());
      session.release();
    },
  };
}

function trainingGraph({ model, trainable, labelSmoothing }: TrainingSessionInput): ModelGraph {
  return model.trainingGraph({
    trainable: trainable.parameters.map(({ name }) => name),
    adapters: trainable.adapters,
    ...{ labelSmoothing, dropout: true },
  });
}

/** Below, a pass would hardly hold one tweet. */
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

  constructor(
    input: TrainingSessionInput,
    session: Session,
    parameters: NamedTensors,
    state: TrainingState,
  ) {
    const { runtime } = input;
    this.#input = input;
    this.#session = session;
    this.#parameters = parameters;
    this.#limits = input.limits;
    this.#gradients = regionTensors(runtime, state, 'gradients', gradientName);
    this.#passGradients = regionTensors(runtime, state, 'passGradients', gradientName);
    this.#tensors = new PassTensors(runtime);
    const data = allocateTensorData('float32', 1);
    this.#loss = runtime.createTensor({ elementType: 'float32', shape: [], data });
  }

  /** When memory runs out, the same batch runs in smaller passes, and so do all after it. */
  async run(examples: readonly Example[], optimizer: Optimizer): Promise<BatchGradients> {
    for (;;) {
      try {
        return await this.#runAll(examples, optimizer);
      } catch (error) {
        if (!(error instanceof Failure) || error.type !== 'OutOfMemory') throw error;
        const longest = Math.max(...examples.map(({ inputIds }) => inputIds.length));
        const tokensPerPass = Math.floor(this.#limits.tokensPerPass / 2);
        if (tokensPerPass < SMALLEST_PASS || this.#limits.tokensPerPass <= longest) throw error;
        const tokensPerRow = Math.min(this.#limits.tokensPerRow, tokensPerPass);
        this.#limits = { tokensPerPass, tokensPerRow };
        this.#input.onSmallerPasses?.(this.#limits);
      }
    }
  }

  async #runAll(examples: readonly Example[], optimizer: Optimizer): Promise<BatchGradients> {
    const { model, padTokenId } = this.#input;
    const lengths = examples.map(({ inputIds }) => inputIds.length);
    const valuesWidth = model.valuesWidth;
    let total = 0;
    let computedTokens = 0;
    for (const [index, pass] of packExamples(lengths, this.#limits).entries()) {
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
