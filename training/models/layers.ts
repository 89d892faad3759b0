import type { Graph, Value } from '../graph/graph.ts';
import * as ops from '../graph/ops.ts';
import { dropAttention, dropFeatures } from './dropout.ts';
import type { Adapter } from './lora.ts';
import type { ParameterSpec } from './model-graph.ts';

// R rows, T tokens, E targets, C channels, H heads, D = C/H channels a head, N = R*T tokens.
const R = 'R';
const T = 'T';
const N = 'R*T';

/** Finite, so that a row of a softmax that masks everything is not NaN; e^−1e9 is exactly 0. */
const MASKED = -1e9;

/** A batch of packed rows, as ModelGraph describes its inputs. */
export interface PackedRows {
  /** [R,T] */
  readonly inputIds: Value;
  /** [R,T] */
  readonly positionIds: Value;
  /** [R,T] */
  readonly segmentIds: Value;
  /** [E] */
  readonly pooledIndex: Value;
  /** [R,T], or undefined without dropout. */
  readonly dropoutKeys: Value | undefined;
}

/** What every layer of a model shares while its graph is built. */
export interface ModelScope {
  readonly graph: Graph;
  readonly rows: PackedRows;
  /** A parameter's graph input. */
  readonly parameter: (name: string) => Value;
  readonly spec: (name: string) => ParameterSpec | undefined;
  /** Of linear layers, by path. */
  readonly adapters: ReadonlyMap<string, Adapter>;
}

/** Declares the inputs of a batch. */
export function packedRows(graph: Graph, hasDropout: boolean): PackedRows {
  return {
    inputIds: graph.input('input_ids', 'int32', [R, T]),
    positionIds: graph.input('position_ids', 'int32', [R, T]),
    segmentIds: graph.input('segment_ids', 'int32', [R, T]),
    pooledIndex: graph.input('pooled_index', 'int32', ['E']),
    dropoutKeys: hasDropout ? graph.input('dropout_keys', 'uint32', [R, T]) : undefined,
  };
}

/**
 * Rows of an embedding matrix for ids [R,T]: [N,C].
 * @param paddingId an id whose row no gradient reaches; null for none. Source: torch.nn.Embedding,
 *   padding_idx.
 */
export function embedding(
  { parameter, graph }: ModelScope,
  ids: Value,
  path: string,
  paddingId: number | null = null,
): Value {
  const matrix = parameter(`${path}.weight`);
  const rows = ops.gather(matrix, ops.reshape(ids, [N]), 0);
  if (paddingId === null) return rows;
  const paddingIds = graph.constant('int32', [1], Int32Array.of(paddingId));
  const paddingRow = ops.stopGradient(ops.gather(matrix, paddingIds, 0));
  return ops.where(ops.equal(ops.reshape(ids, [N, 1]), paddingId), paddingRow, rows);
}

/**
 * A linear layer, with its adapter where it has one: x·W + b + α/r·dropout(x)·Aᵀ·Bᵀ, x [N,inputs].
 * Source of the adapter: Hu et al., LoRA, 2021, §4.1; PEFT, lora.Linear.forward.
 */
export function linear(scope: ModelScope, x: Value, path: string): Value {
  const { parameter, spec } = scope;
  const name = `${path}.weight`;
  const bias = spec(`${path}.bias`) === undefined ? undefined : parameter(`${path}.bias`);
  const y = ops.gemm(x, parameter(name), {
    ...(bias !== undefined && { c: bias }),
    transB: spec(name)?.linear === 'outputs-inputs',
  });
  const adapter = scope.adapters.get(path);
  if (adapter === undefined) return y;
  const kept = drop(scope, x, adapter.site, adapter.dropout);
  const narrow = ops.gemm(kept, parameter(adapter.a.name), { transB: true });
  const wide = ops.gemm(narrow, parameter(adapter.b.name), { transB: true });
  return ops.add(y, ops.mul(wide, adapter.scale));
}

export function layerNorm(scope: ModelScope, x: Value, path: string, epsilon: number): Value {
  const { parameter } = scope;
  const [weight, bias] = [parameter(`${path}.weight`), parameter(`${path}.bias`)];
  return ops.layerNormalization(x, weight, bias, epsilon);
}

/** Feature dropout of x [N,C]; every place of a model has a `site` of its own. */
export function drop({ rows }: ModelScope, x: Value, site: number, probability: number): Value {
  const keys = rows.dropoutKeys;
  return keys === undefined ? x : dropFeatures(x, { keys, site, probability });
}

/** The states that targets are predicted from: [N,C] → [E,C]. */
export function pooledStates({ rows }: ModelScope, states: Value): Value {
  return ops.gather(states, rows.pooledIndex, 0);
}

/** Feature dropout of pooled states [E,C]: that of the tokens that they come from. */
export function dropPooled(
  { rows }: ModelScope,
  x: Value,
  site: number,
  probability: number,
): Value {
  if (rows.dropoutKeys === undefined || probability === 0) return x;
  const keys = ops.gather(ops.reshape(rows.dropoutKeys, [N]), rows.pooledIndex, 0);
  return dropFeatures(x, { keys, site, probability });
}

/**
 * 0 where a query may look at a key, else MASKED: [R,1,T,T]. A token sees the tokens of its own
 * segment; in a causal model those at its own position and before.
 */
export function attentionMask({ rows }: ModelScope, isCausal: boolean): Value {
  const asQuery = (ids: Value): Value => ops.reshape(ids, [R, 1, T, 1]);
  const asKey = (ids: Value): Value => ops.reshape(ids, [R, 1, 1, T]);
  const { segmentIds, positionIds } = rows;
  const isSameSegment = ops.equal(asQuery(segmentIds), asKey(segmentIds));
  if (!isCausal) return ops.where(isSameSegment, 0, MASKED);
  const isBefore = ops.lessOrEqual(asKey(positionIds), asQuery(positionIds));
  return ops.where(ops.and(isSameSegment, isBefore), 0, MASKED);
}

export interface Attention {
  /** Each [R,H,T,D]. */
  readonly q: Value;
  readonly k: Value;
  readonly v: Value;
  /** [R,1,T,T] */
  readonly mask: Value;
  /** Factor of q·kᵀ; 1 for none. */
  readonly scale: number;
  readonly site: number;
  /** Of the dropout of probabilities. */
  readonly dropout: number;
}

/** softmax(scale·q·kᵀ + mask)·v with the heads merged: [N,C]. */
export function attend(scope: ModelScope, attention: Attention): Value {
  const { q, k, v, mask, scale, site, dropout } = attention;
  const products = ops.matMul(q, ops.transposeMatrices(k));
  const scores = scale === 1 ? products : ops.mul(products, scale);
  const probabilities = ops.softmax(ops.add(scores, mask));
  const keys = scope.rows.dropoutKeys;
  const attended =
    keys === undefined
      ? ops.matMul(probabilities, v)
      : dropAttention(probabilities, v, { keys, site, probability: dropout });
  const [, H = 0, , D = 0] = q.shape;
  return ops.reshape(ops.transpose(attended, [0, 2, 1, 3]), [N, Number(H) * Number(D)]);
}

/** [N,C] as the heads of an attention: [R,H,T,D]. */
export function splitHeads(x: Value, heads: number): Value {
  const D = Number(x.shape[1]) / heads;
  return ops.transpose(ops.reshape(x, [R, T, heads, D]), [0, 2, 1, 3]);
}
