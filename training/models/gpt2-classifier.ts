import type { Graph, Value } from '../graph/graph.ts';
import * as ops from '../graph/ops.ts';
import { ACTIVATIONS } from './activations.ts';
import { dropAttention, dropFeatures } from './dropout.ts';
import type { Gpt2Config } from './gpt2-config.ts';
import { gpt2Parameters } from './gpt2-parameters.ts';

// R rows, T tokens, E examples, C channels, H heads, D = C/H channels a head, N = R*T tokens.
const R = 'R';
const T = 'T';
const E = 'E';
const N = 'R*T';

/** Finite, so that a row of a softmax that masks everything is not NaN; e^−1e9 is exactly 0. */
const MASKED = -1e9;

export interface Classifier {
  /** [E,labels] */
  readonly logits: Value;
  /** [] */
  readonly loss: Value;
}

/** What every layer shares. */
interface Model {
  readonly config: Gpt2Config;
  readonly parameter: (name: string) => Value;
  /** 0 where a query may look at a key, else MASKED: [R,1,T,T]. */
  readonly mask: Value;
  /** [R,T], or undefined without dropout. */
  readonly dropoutKeys: Value | undefined;
}

/**
 * Appends GPT2ForSequenceClassification to the graph, with the inputs that ModelGraph describes.
 * Source: Hugging Face transformers 5.x, modeling_gpt2.py.
 */
export function gpt2Classifier(graph: Graph, config: Gpt2Config, hasDropout: boolean): Classifier {
  const inputIds = graph.input('input_ids', 'int32', [R, T]);
  const positionIds = graph.input('position_ids', 'int32', [R, T]);
  const segmentIds = graph.input('segment_ids', 'int32', [R, T]);
  const pooledIndex = graph.input('pooled_index', 'int32', [E]);
  const labels = graph.input('labels', 'int32', [E]);
  const exampleWeights = graph.input('example_weights', 'float32', [E]);
  const dropoutKeys = hasDropout ? graph.input('dropout_keys', 'uint32', [R, T]) : undefined;
  const parameter = parameterInputs(graph, config);
  const mask = attentionMask(segmentIds, positionIds);
  const model = { config, parameter, mask, dropoutKeys };

  let x = embeddings(model, inputIds, positionIds);
  for (let layer = 0; layer < config.n_layer; layer++) {
    x = ops.add(x, attention(model, layer, layerNorm(model, x, `h.${layer}.ln_1`)));
    x = ops.add(x, mlp(model, layer, layerNorm(model, x, `h.${layer}.ln_2`)));
  }
  const state = ops.gather(layerNorm(model, x, 'ln_f'), pooledIndex, 0);
  const logits = ops.gemm(state, parameter('score.weight'), { transB: true });
  return { logits, loss: crossEntropy(logits, labels, exampleWeights) };
}

function parameterInputs(graph: Graph, config: Gpt2Config): Model['parameter'] {
  const inputs = new Map(
    gpt2Parameters(config).map(({ name, shape }) => [name, graph.input(name, 'float32', shape)]),
  );
  return (name) => {
    const input = inputs.get(name);
    if (input === undefined) throw new Error(`internal: GPT-2 has no parameter ${name}`);
    return input;
  };
}

/**
 * A token sees the tokens of its own segment at its own position and before.
 * Positions rise along a segment, so that is causal by column.
 */
function attentionMask(segmentIds: Value, positionIds: Value): Value {
  const asQuery = (ids: Value): Value => ops.reshape(ids, [R, 1, T, 1]);
  const asKey = (ids: Value): Value => ops.reshape(ids, [R, 1, 1, T]);
  const isSameSegment = ops.equal(asQuery(segmentIds), asKey(segmentIds));
  const isBefore = ops.lessOrEqual(asKey(positionIds), asQuery(positionIds));
  return ops.where(ops.and(isSameSegment, isBefore), 0, MASKED);
}

/** Token and position embeddings: [N,C]. */
function embeddings(model: Model, inputIds: Value, positionIds: Value): Value {
  const { parameter, config } = model;
  const tokens = ops.gather(parameter('transformer.wte.weight'), ops.reshape(inputIds, [N]), 0);
  const positions = ops.gather(
    parameter('transformer.wpe.weight'),
    ops.reshape(positionIds, [N]),
    0,
  );
  return drop(model, ops.add(tokens, positions), 0, config.embd_pdrop);
}

/** Multi-head self-attention with its output projection: [N,C] → [N,C]. */
function attention(model: Model, layer: number, x: Value): Value {
  const { config, mask, dropoutKeys } = model;
  const H = config.n_head;
  const C = config.n_embd;
  const D = C / H;
  const site = 3 * layer + 1;
  const qkv = ops.reshape(linear(model, x, `h.${layer}.attn.c_attn`), [R, T, 3, H, D]);
  // One transposition for all three: [3,R,H,T,D].
  const parts = ops.split(ops.transpose(qkv, [2, 0, 3, 1, 4]), [1, 1, 1], 0);
  const [q, k, v] = parts.map((part) => ops.reshape(part, [R, H, T, D]));
  if (q === undefined || k === undefined || v === undefined) throw new Error('internal: no qkv');
  const products = ops.matMul(q, ops.transposeMatrices(k));
  const scores = config.scale_attn_weights ? ops.mul(products, 1 / Math.sqrt(D)) : products;
  const probabilities = ops.softmax(ops.add(scores, mask));
  const attended =
    dropoutKeys === undefined
      ? ops.matMul(probabilities, v)
      : dropAttention(probabilities, v, {
          keys: dropoutKeys,
          site,
          probability: config.attn_pdrop,
        });
  const merged = ops.reshape(ops.transpose(attended, [0, 2, 1, 3]), [N, C]);
  const projected = linear(model, merged, `h.${layer}.attn.c_proj`);
  return drop(model, projected, site + 1, config.resid_pdrop);
}

/** Two linear layers with the activation between them: [N,C] → [N,C]. */
function mlp(model: Model, layer: number, x: Value): Value {
  const { config } = model;
  const hidden = ACTIVATIONS[config.activation_function](linear(model, x, `h.${layer}.mlp.c_fc`));
  const projected = linear(model, hidden, `h.${layer}.mlp.c_proj`);
  return drop(model, projected, 3 * layer + 3, config.resid_pdrop);
}

/** Feature dropout: site 0 is the embedding's, then three a layer. */
function drop(model: Model, x: Value, site: number, probability: number): Value {
  const keys = model.dropoutKeys;
  return keys === undefined ? x : dropFeatures(x, { keys, site, probability });
}

/** x·W + b, W [inputs,outputs]. */
function linear({ parameter }: Model, x: Value, path: string): Value {
  const [weight, bias] = weightAndBias(parameter, path);
  return ops.gemm(x, weight, { c: bias });
}

function layerNorm({ parameter, config }: Model, x: Value, path: string): Value {
  const [weight, bias] = weightAndBias(parameter, path);
  return ops.layerNormalization(x, weight, bias, config.layer_norm_epsilon);
}

function weightAndBias(parameter: Model['parameter'], path: string): readonly [Value, Value] {
  return [parameter(`transformer.${path}.weight`), parameter(`transformer.${path}.bias`)];
}

/** Σ weight·(−log softmax(logits)[label]): logits [E,labels], labels and weights [E] → []. */
function crossEntropy(logits: Value, labels: Value, weights: Value): Value {
  const picked = ops.gatherElements(ops.logSoftmax(logits), ops.reshape(labels, [E, 1]), 1);
  return ops.neg(ops.reduceSum(ops.mul(ops.reshape(picked, [E]), weights), [0]));
}
