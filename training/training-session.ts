import { gradientName } from './models/model-graph.ts';
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
  type Tensor,
} from './runtime/runtime.ts';

export interface TrainingSessionInput {
  readonly runtime: Runtime;
  readonly model: ModelDefinition;
  readonly optimizer: OptimizerOptions;
  readonly padTokenId: number | null;
  readonly limits: PackingLimits;
  readonly threads: number;
}

export interface BatchGradients {
  /** Σ weight × cross entropy over the examples. */
  readonly loss: number;
  /** Token positions that were computed, padding included. */
  readonly computedTokens: number;
}

/** A compiled model with its training state, and the optimizer on it. */
export interface TrainingSession {
  readonly state: TrainingState;
  readonly optimizer: Optimizer;
  /** Tensors of all parameters, by name, over the state. */
  readonly parameters: NamedTensors;
  /** Fills the state's gradients with those of the examples' loss. */
  computeGradients(examples: readonly Example[]): Promise<BatchGradients>;
  close(): Promise<void>;
}

/** Compiles the training graph and allocates the state; parameters start as zeros. */
export async function openTrainingSession(input: TrainingSessionInput): Promise<TrainingSession> {
  const { runtime, model, threads, padTokenId, limits } = input;
  const state = allocateTrainingState(model.parameters, input.optimizer);
  const graph = model.trainingGraph();
  const session = runtime.createSession(graph.onnx, { threads: model.sessionThreads(threads) });
  const parameters = regionTensors(runtime, state, 'parameters', (name) => name);
  const gradients = regionTensors(runtime, state, 'gradients', gradientName);
  const passGradients = regionTensors(runtime, state, 'passGradients', gradientName);
  const loss = runtime.createTensor({
    elementType: 'float32',
    shape: [],
    data: allocateTensorData('float32', 1),
  });
  const passTensors = new PassTensors(runtime);
  const optimizer = await openOptimizer(state, input.optimizer, threads);

  const computeGradients = async (examples: readonly Example[]): Promise<BatchGradients> => {
    const lengths = examples.map(({ inputIds }) => inputIds.length);
    let total = 0;
    let computedTokens = 0;
    for (const [index, pass] of packExamples(lengths, limits).entries()) {
      const bound = passTensors.bind({ pass, examples, padTokenId });
      try {
        const inputs = { ...bound.inputs, ...parameters };
        await session.run(inputs, { loss, ...(index === 0 ? gradients : passGradients) });
      } finally {
        bound.release();
      }
      if (index > 0) await optimizer.accumulate();
      total += loss.data[0] ?? NaN;
      computedTokens += pass.rows * pass.tokens;
    }
    return { loss: total, computedTokens };
  };

  const close = async (): Promise<void> => {
    await optimizer.close();
    const tensors = [parameters, gradients, passGradients].flatMap(Object.values<Tensor>);
    [...tensors, loss, session].forEach((owned) => owned.release());
  };
  return { state, optimizer, parameters, computeGradients, close };
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
