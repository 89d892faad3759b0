import { int } from '../graph/attributes.ts';
import type { Graph, Node } from '../graph/graph.ts';
import type { Dimension } from '../graph/tensor-type.ts';
import type { WeightProduct } from '../thread-count.ts';

/** What `exactThreads` asks of a graph. */
export interface GraphProducts {
  /** Products by a matrix of fixed size. */
  readonly byWeights: readonly WeightProduct[];
  /** Least number of matrices in its batched products. */
  readonly matrices: number;
}

export function productsOf(graph: Graph): GraphProducts {
  const products = graph.nodes.filter(({ op }) => op === 'MatMul' || op === 'Gemm');
  const batches = products.map(batchOf).filter((batch) => batch !== undefined);
  return { byWeights: products.flatMap(productByWeight), matrices: Math.min(Infinity, ...batches) };
}

function productByWeight({ op, inputs, attributes }: Node): readonly WeightProduct[] {
  const shape = inputs[1]?.shape ?? [];
  const isTransposed = op === 'Gemm' && int(attributes, 'transB') === 1;
  const [K, N] = isTransposed ? shape.toReversed() : shape;
  return shape.length === 2 && typeof K === 'number' && typeof N === 'number' ? [{ K, N }] : [];
}

/** Matrices of a product of two batches; a length of any size is at least 1. */
function batchOf({ inputs }: Node): number | undefined {
  const [a = [], b = []] = inputs.map(({ shape }) => shape);
  if (b.length < 3) return undefined;
  const batch = a.length > b.length ? a.slice(0, -2) : b.slice(0, -2);
  return batch.reduce<number>((count, length) => count * leastOf(length), 1);
}

function leastOf(length: Dimension): number {
  if (typeof length === 'number') return length;
  const [factor] = length.split('*');
  return Number(factor) || 1;
}
