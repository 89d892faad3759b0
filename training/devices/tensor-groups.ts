import type { StateTensor } from '../optimizers/training-state.ts';

/** Consecutive tensors that one graph works on. */
export interface TensorGroup {
  /** Equal for groups that the same graphs can work on: the layers of a model. */
  readonly key: string;
  readonly tensors: readonly StateTensor[];
}

/**
 * Elements of a group, unless one tensor has more. An update writes a group anew beside the old one,
 * so this bounds the memory that it takes; more groups would take more runs.
 */
const GROUP_ELEMENTS = 8 * 2 ** 20;

/** Tensors in their order, in groups of at most `elements` elements. */
export function groupTensors(
  tensors: readonly StateTensor[],
  elements: number = GROUP_ELEMENTS,
): readonly TensorGroup[] {
  const groups: StateTensor[][] = [];
  let used = Infinity;
  for (const tensor of tensors) {
    if (used + tensor.length > elements) {
      groups.push([]);
      used = 0;
    }
    groups.at(-1)?.push(tensor);
    used += tensor.length;
  }
  return groups.map((members) => ({ key: keyOf(members), tensors: members }));
}

function keyOf(tensors: readonly StateTensor[]): string {
  return tensors.map(({ shape, isDecayed }) => `${shape.join('x')} ${isDecayed}`).join();
}
