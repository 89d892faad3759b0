import { zerosName, gradientName } from './models/model-graph.ts';
import { liveRows } from './optimizers/live-rows.ts';
import type { StateRegion, StateTensor, TrainingState } from './optimizers/training-state.ts';
import type { NamedTensors } from './runtime/runtime.ts';

type GradientRegion = Extract<StateRegion, 'gradients' | 'passGradients'>;

/** Keeps the gradients of sparse tensors zero but in the rows of the tokens that were read. */
export class SparseGradients {
  readonly #state: TrainingState;
  readonly #tensors: readonly StateTensor[];
  /** Token ids whose rows a region may hold anything but zeros in. */
  readonly #written: { readonly [region in GradientRegion]: Set<number> } = {
    gradients: new Set(),
    passGradients: new Set(),
  };

  constructor(state: TrainingState) {
    this.#state = state;
    this.#tensors = state.tensors.filter(({ isSparse }) => isSparse === true);
  }

  /** To be called before each pass: the region that it writes becomes zeros. */
  begin(isFirst: boolean, tokenIds: Int32Array): void {
    if (this.#tensors.length === 0) return;
    const region = isFirst ? 'gradients' : 'passGradients';
    this.#clear(region);
    for (const id of tokenIds) this.#written[region].add(id);
    // The passes after the first are added to its gradients.
    if (!isFirst) for (const id of this.#written[region]) this.#written.gradients.add(id);
    for (const tensor of this.#tensors) {
      const live = liveRows(this.#state, tensor);
      if (live !== undefined) for (const id of this.#written[region]) live[id] = 1;
    }
  }

  /** What the gradients are added to: their own memory. */
  zeros(gradients: NamedTensors): NamedTensors {
    return Object.fromEntries(
      this.#tensors.flatMap(({ name }) => {
        const tensor = gradients[gradientName(name)];
        return tensor === undefined ? [] : [[zerosName(name), tensor]];
      }),
    );
  }

  #clear(region: GradientRegion): void {
    for (const tensor of this.#tensors) {
      const view = this.#state.view(region, tensor);
      const columns = tensor.shape[1] ?? 1;
      for (const id of this.#written[region]) view.fill(0, id * columns, (id + 1) * columns);
    }
    this.#written[region].clear();
  }
}
