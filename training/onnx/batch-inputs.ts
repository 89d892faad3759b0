import type { Graph, Value } from '../graph/graph.ts';
import * as ops from '../graph/ops.ts';
import type { DataType, Dimension } from '../graph/tensor-type.ts';
import type { RowShape } from '../packing.ts';
import { fileTensor, invalid, type FileTensor, type OnnxModel } from './model-file.ts';

/** Inputs of our graphs (see ModelGraph) but those of the targets, and what the file's own are made of. */
export interface BatchInputs {
  readonly fileInputs: ReadonlyMap<string, Value>;
  readonly rowShape: RowShape;
  /** Rows of a pass. */
  readonly rows: Dimension;
  /** int32 [E] */
  readonly rowOfExample: Value;
}

const KNOWN = ['input_ids', 'attention_mask', 'token_type_ids', 'position_ids'] as const;
type Known = (typeof KNOWN)[number];

/**
 * Adds the inputs that ModelGraph describes to a graph, but those of the targets.
 * @throws InvalidInput when the file's inputs are not those of a text classifier
 */
export function batchInputs(graph: Graph, model: OnnxModel): BatchInputs {
  const given = model.graph.input
    .map(fileTensor)
    .filter(({ name }) => !model.initializers.has(name));
  requireTextClassifier(given);
  const rowShape = { rows: fixedLength(given, 0), tokens: fixedLength(given, 1) };
  const [R, T] = [rowShape.rows ?? 'R', rowShape.tokens ?? 'T'];
  const inputIds = graph.input('input_ids', 'int32', [R, T]);
  const positionIds = graph.input('position_ids', 'int32', [R, T]);
  const segmentIds = graph.input('segment_ids', 'int32', [R, T]);
  const pooledIndex = graph.input('pooled_index', 'int32', ['E']);
  const sources: Record<Known, () => Value> = {
    input_ids: () => inputIds,
    attention_mask: () => attentionMask(segmentIds),
    token_type_ids: () => ops.expand(ops.scalar(graph, 'int32', 0), [R, T]),
    position_ids: () => positionIds,
  };
  const fileInputs = new Map(
    given.map(({ name, dtype }) => [name, ops.cast(sources[name as Known](), dtype ?? 'int64')]),
  );
  const tokens = ops.cast(ops.lengthScalar(graph, T), 'int32');
  return {
    fileInputs,
    rowShape,
    rows: R,
    rowOfExample: ops.div(pooledIndex, tokens),
  };
}

/**
 * 1 where a token belongs to an example, else 0: [R,T].
 * And 1 at the start of each row, where every example has its first token. So a row without an
 * example, which a pass of a fixed number of rows may have, masks not everything: its softmax is no
 * 0/0, whose NaN would reach the gradients in spite of the row's weight of 0.
 */
function attentionMask(segmentIds: Value): Value {
  const { graph, shape } = segmentIds;
  const isStart = ops.equal(ops.iota(graph, shape[1] ?? 1), 0);
  return ops.or(ops.lessOrEqual(0, segmentIds), isStart);
}

function requireTextClassifier(given: readonly FileTensor[]): void {
  const expected = `expected ${KNOWN.join(', ')} of int64 or int32 [batch, sequence], the last two or three left out`;
  const names = given.map(({ name }) => name);
  if (!names.includes('input_ids')) {
    throw invalid(`has the inputs ${names.join(', ') || 'none'}; ${expected}`);
  }
  for (const { name, dtype, shape } of given) {
    if (!(KNOWN as readonly string[]).includes(name))
      throw invalid(`has an input "${name}"; ${expected}`);
    if (dtype === undefined || (shape !== undefined && shape.length !== 2)) {
      const found = `${dtype ?? 'another type'} [${shape?.map((length) => length || '?').join(',') ?? '?'}]`;
      throw invalid(`has an input "${name}" of ${found}; ${expected}`);
    }
    requireInteger(name, dtype, expected);
  }
}

function requireInteger(name: string, dtype: DataType, expected: string): void {
  const isMask = name === 'attention_mask';
  if (dtype === 'int64' || dtype === 'int32' || isMask) return;
  throw invalid(`has an input "${name}" of ${dtype}; ${expected}`);
}

/** The length that all inputs agree on; null when none of them fixes it. */
function fixedLength(given: readonly FileTensor[], axis: 0 | 1): number | null {
  const lengths = new Set(
    given.map(({ shape }) => shape?.[axis] ?? 0).filter((length) => length > 0),
  );
  if (lengths.size > 1) {
    const what = axis === 0 ? 'rows' : 'tokens a row';
    throw invalid(`has inputs of different numbers of ${what}: ${[...lengths].join(', ')}`);
  }
  const [length] = lengths;
  return length ?? null;
}
