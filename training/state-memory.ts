import { gradientName, type ParameterSpec } from './models/model-graph.ts';
import { openOptimizer, type Optimizer } from './optimizers/optimizer.ts';
import type { OptimizerOptions } from './optimizers/optimizer-options.ts';
import type { StateRegion, TrainingState } from './optimizers/training-state.ts';
import type { NamedTensors, NamedValues, Runtime } from './runtime/runtime.ts';
import { SparseGradients } from './sparse-gradients.ts';

/** What the loss is multiplied by while gradients are computed: 1 but in float16. */
export interface LossScale {
  value: number;
}

/** Where a training's tensors lie, and the optimizer that works on them there. */
export interface StateMemory {
  /** Of all parameters and adapters, by name: as they are until the optimizer's next update. */
  parameters(): NamedValues;
  /** Where a pass is to write the gradients of what is trained: until the next accumulation. */
  gradients(pass: PassOrder): PassGradients;
  readonly optimizer: Optimizer;
  /** Brings there what our memory holds: to be called after parameters or moments were filled. */
  upload(): Promise<void>;
  /** Brings parameters and moments into our memory: to be called before they are read. */
  download(): Promise<void>;
  close(): Promise<void>;
}

/** Which of an effective batch's passes it is, and what it reads. */
export interface PassOrder {
  /** Others are added to the first one's. */
  readonly isFirst: boolean;
  /** Of padding too. */
  readonly tokenIds: Int32Array;
}

/** By the graph's names. */
export interface PassGradients {
  readonly outputs: NamedValues;
  /** What sparse gradients are added to. @see ModelGraph */
  readonly zeros: NamedValues;
}

export interface HostMemoryInput {
  readonly runtime: Runtime;
  readonly state: TrainingState;
  /** Parameters that are not trained, with their elements. */
  readonly frozen: readonly (readonly [ParameterSpec, Float32Array])[];
  readonly optimizer: OptimizerOptions;
  readonly threads: number;
}

/** The training state's own memory, which the graphs read and write as it is. */
export async function openHostMemory(input: HostMemoryInput): Promise<StateMemory> {
  const { runtime, state, frozen } = input;
  const parameters: NamedTensors = {
    ...Object.fromEntries(
      frozen.map(([{ name, shape }, data]) => [
        name,
        runtime.createTensor({ elementType: 'float32', shape, data }),
      ]),
    ),
    ...regionTensors(input, 'parameters', (name) => name),
  };
  const gradients = regionTensors(input, 'gradients', gradientName);
  const passGradients = regionTensors(input, 'passGradients', gradientName);
  const sparse = new SparseGradients(state);
  const optimizer = await openOptimizer(state, input.optimizer, input.threads);
  return {
    parameters: () => parameters,
    gradients: ({ isFirst, tokenIds }) => {
      const outputs = isFirst ? gradients : passGradients;
      sparse.begin(isFirst, tokenIds);
      return { outputs, zeros: sparse.zeros(outputs) };
    },
    optimizer,
    upload: async () => undefined,
    download: async () => undefined,
    close: async () => {
      await optimizer.close();
      for (const tensors of [parameters, gradients, passGradients]) {
        for (const tensor of Object.values(tensors)) tensor.release();
      }
    },
  };
}

function regionTensors(
  { runtime, state }: HostMemoryInput,
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
