import type { Graph, Value } from '../graph/graph.ts';
import * as ops from '../graph/ops.ts';
import { dropAttention, dropFeatures } from './dropout.ts';
import { product } from '../graph/dimension.ts';
import type { Dimension } from '../graph/tensor-type.ts';
import type { Adapter } from './lora.ts';
import type { ParameterSpec } from './model-graph.ts';

// R rows, T tokens, E targets, C channels, H heads, D = C/H channels a head, N = R*T tokens.
// M tokens are those that a layer computes: N, or E of them.
const R = 'R';
const T = 'T';
const N = 'R*T';
const E = 'E';

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
  /** Of the tokens that are computed: [M]; undefined without dropout. */
  readonly dropoutKeys: Value | undefined;
  /** Whether a target is predicted from nearly every token, as by a language model. */
  readonly readsEveryToken: boolean;
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
 * A linear layer, with its adapter where it has one: x·W + b + α/r·dropout(x)·Aᵀ·Bᵀ, x [M,inputs].
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

/** Feature dropout of x [M,C]; every place of a model has a `site` of its own. */
export function drop(
  { dropoutKeys: keys }: ModelScope,
  x: Value,
  site: number,
  probability: number,
): Value {
  return keys === undefined ? x : dropFeatures(x, { keys, site, probability });
}

/** Rows of what all tokens have, [N,...], for those that targets are predicted from: [E,...]. */
function ofTargets({ rows }: ModelScope, values: Value): Value {
  return ops.gather(values, rows.pooledIndex, 0);
}

/** The scope of what is computed for the tokens that targets are predicted from alone. */
export function targetScope(scope: ModelScope): ModelScope {
  const { dropoutKeys } = scope;
  return { ...scope, dropoutKeys: dropoutKeys && ofTargets(scope, dropoutKeys) };
}

/** Tokens in rows: [rows, tokens of a row]. */
type TokenGrid = readonly [Dimension, Dimension];

/** The tokens that a layer computes, and those that they may look at. */
export interface LayerTokens {
  /** With the dropout keys of the tokens that are computed. */
  readonly scope: ModelScope;
  /** The tokens that are computed, M in all, and those that they look at in the same row. */
  readonly queries: TokenGrid;
  readonly keys: TokenGrid;
  /** 0 where a query may look at a key, else MASKED: [rows,1,queries,keys]. */
  readonly mask: Value;
  /** Dropout keys of the tokens that are looked at, in the order of `keys`. */
  readonly keyDropout: Value | undefined;
  /** [N,C] → [M,C] */
  readonly select: (states: Value) => Value;
  /** [rows,H,keys,D] → [rows,H,queries,D] */
  readonly selectHeads: (heads: Value) => Value;
}

/**
 * The tokens of each layer. Of the last one a classifier reads a single token of each example, so
 * nothing else is computed there: one row of E queries, which look at the N tokens of all rows.
 */
export function layerTokens(
  scope: ModelScope,
  layers: number,
  isCausal: boolean,
): readonly LayerTokens[] {
  const every = everyToken(scope, isCausal);
  const last = scope.readsEveryToken ? every : targetTokens(scope, isCausal);
  return Array.from({ length: layers }, (_, layer) => (layer < layers - 1 ? every : last));
}

/** What the last layer computed, of the tokens that targets are predicted from: [E,C]. */
export function targetStates(scope: ModelScope, states: Value): Value {
  return scope.readsEveryToken ? ofTargets(scope, states) : states;
}

function everyToken(scope: ModelScope, isCausal: boolean): LayerTokens {
  const { segmentIds, positionIds } = scope.rows;
  const tokens = { segments: segmentIds, positions: positionIds };
  const grid = [R, T] as const;
  return {
    ...{ scope, queries: grid, keys: grid },
    mask: attentionMask([grid, tokens], [grid, tokens], isCausal),
    keyDropout: scope.dropoutKeys,
    select: (states) => states,
    selectHeads: (heads) => heads,
  };
}

function targetTokens(scope: ModelScope, isCausal: boolean): LayerTokens {
  const segments = ops.reshape(scope.rows.segmentIds, [N]);
  const positions = ops.reshape(scope.rows.positionIds, [N]);
  const [queries, keys] = [[1, E] as const, [1, N] as const];
  const targets = {
    segments: ofTargets(scope, segments),
    positions: ofTargets(scope, positions),
  };
  return {
    ...{ scope: targetScope(scope), queries, keys },
    mask: attentionMask([queries, targets], [keys, { segments, positions }], isCausal),
    keyDropout: scope.dropoutKeys,
    select: (states) => ofTargets(scope, states),
    selectHeads: (heads) => ops.gather(heads, scope.rows.pooledIndex, 2),
  };
}

type MaskSide = readonly [
  grid: TokenGrid,
  tokens: { readonly segments: Value; readonly positions: Value },
];

/**
 * A token sees the tokens of its own segment; in a causal model those at its own position and
 * before.
 */
function attentionMask(query: MaskSide, key: MaskSide, isCausal: boolean): Value {
  const [[[rows, queries], asking], [[, keys], seen]] = [query, key];
  const asQuery = (ids: Value): Value => ops.reshape(ids, [rows, 1, queries, 1]);
  const asKey = (ids: Value): Value => ops.reshape(ids, [rows, 1, 1, keys]);
  const isSameSegment = ops.equal(asQuery(asking.segments), asKey(seen.segments));
  if (!isCausal) return ops.where(isSameSegment, 0, MASKED);
  const isBefore = ops.lessOrEqual(asKey(seen.positions), asQuery(asking.positions));
  return ops.where(ops.and(isSameSegment, isBefore), 0, MASKED);
}

export interface Attention {
  /** [rows,H,queries,D] of the layer's tokens. */
  readonly q: Value;
  /** Both [rows,H,keys,D]. */
  readonly k: Value;
  readonly v: Value;
  /** Factor of q·kᵀ; 1 for none. */
  readonly scale: number;
  readonly site: number;
  /** Of the dropout of probabilities. */
  readonly dropout: number;
}

/** softmax(scale·q·kᵀ + mask)·v with the heads merged: [M,C]. */
export function attend(tokens: LayerTokens, attention: Attention): Value {
  const { q, k, v, scale, site, dropout } = attention;
  const products = ops.matMul(q, ops.transposeMatrices(k));
  const scores = scale === 1 ? products : ops.mul(products, scale);
  const probabilities = ops.softmax(ops.add(scores, tokens.mask));
  const { keyDropout: keys } = tokens;
  const { dropoutKeys: queries } = tokens.scope;
  const attended =
    keys === undefined || queries === undefined
      ? ops.matMul(probabilities, v)
      : dropAttention(probabilities, v, { queries, keys, site, probability: dropout });
  const [, H = 0, , D = 0] = q.shape;
  const merged = [product(tokens.queries), Number(H) * Number(D)];
  return ops.reshape(ops.transpose(attended, [0, 2, 1, 3]), merged);
}

/** An attention's q, k and v by three linear layers, of states [N,C] in `heads` heads. */
export function projectHeads(
  scope: ModelScope,
  tokens: LayerTokens,
  x: Value,
  { heads, query, key, value }: HeadLayers,
): Pick<Attention, 'q' | 'k' | 'v'> {
  const split = (projected: Value, grid: TokenGrid): Value => {
    const D = Number(projected.shape[1]) / heads;
    return ops.transpose(ops.reshape(projected, [...grid, heads, D]), [0, 2, 1, 3]);
  };
  return {
    q: split(linear(tokens.scope, tokens.select(x), query), tokens.queries),
    k: split(linear(scope, x, key), tokens.keys),
    v: split(linear(scope, x, value), tokens.keys),
  };
}

/** Paths of linear layers, and the number of heads that they fill. */
export interface HeadLayers {
  readonly heads: number;
  readonly query: string;
  readonly key: string;
  readonly value: string;
}
