import type { ConstantData } from '../graph/graph.ts';
import { invalid, type OnnxModel } from './model-file.ts';
import { isFloat, readTensor } from './tensor-data.ts';

/** No weight is this large, and every number that masks something out is. */
const LEAST_MASK = 1e4;

/** Names that our graphs have for themselves. */
const RESERVED =
  /^(input_ids|position_ids|segment_ids|pooled_index|labels|example_weights|dropout_keys|loss|logits|grad\..*)$/;

/**
 * Names of the float initializers that can be weights. Numbers by themselves are constants of
 * formulas (1/√2, an epsilon), and so are exponents; tensors that hold a huge number are masks.
 * A file does not tell weights from other tables: one that should stay as it is can be frozen.
 */
export function candidateParameters(model: OnnxModel): readonly string[] {
  const exponents = new Set(
    model.graph.node.filter(({ opType }) => opType === 'Pow').map(({ input }) => input[1]),
  );
  const names = [...model.initializers.values()]
    .filter((tensor) => isFloat(tensor) && tensor.dims.length > 0 && !exponents.has(tensor.name))
    .filter((tensor) => holdsNoMask(readTensor(tensor, model.external)))
    .map(({ name }) => name);
  const reserved = names.find((name) => RESERVED.test(name));
  if (reserved === undefined) return names;
  throw invalid(
    `has weights named "${reserved}", a name that training needs for itself; rename them`,
  );
}

/** A loop, as it looks at every weight there is. */
function holdsNoMask(values: ConstantData): boolean {
  for (let i = 0; i < values.length; i++) {
    if (!(Math.abs(Number(values[i])) < LEAST_MASK)) return false;
  }
  return true;
}
