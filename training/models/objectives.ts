import type { Graph, Value } from '../graph/graph.ts';
import * as ops from '../graph/ops.ts';
import type { ProblemType } from './problem-types.ts';

/** How logits are compared with targets. */
export interface Objective {
  /** Language modelling is a single-label classification of each token. */
  readonly problemType: ProblemType;
  /** Share of the target's probability that is spread over all classes; single label only. */
  readonly labelSmoothing: number;
}

/** Declares the inputs of the targets. @returns each target's loss, and their weighted sum */
export function objectiveLoss(
  graph: Graph,
  logits: Value,
  objective: Objective,
): { readonly losses: Value; readonly loss: Value } {
  const losses = targetLosses(graph, logits, objective);
  const weights = graph.input('example_weights', 'float32', ['E']);
  return { losses, loss: ops.reduceSum(ops.mul(losses, weights), [0]) };
}

function targetLosses(graph: Graph, logits: Value, objective: Objective): Value {
  const values = (): Value => graph.input('label_values', 'float32', logits.shape);
  switch (objective.problemType) {
    case 'single_label_classification':
      return crossEntropy(logits, graph.input('labels', 'int32', ['E']), objective.labelSmoothing);
    case 'multi_label_classification':
      return binaryCrossEntropy(logits, values());
    case 'regression':
      return squaredError(logits, values());
  }
}

/**
 * −log softmax(logits)[label], smoothed to (1 − ε)·that + ε·the mean of −log softmax(logits).
 * logits [E,C], labels [E] → [E]. Source: Szegedy et al., 2016, §7; transformers, LabelSmoother.
 */
function crossEntropy(logits: Value, labels: Value, labelSmoothing: number): Value {
  const logProbabilities = ops.logSoftmax(logits);
  const picked = ops.gatherElements(logProbabilities, ops.reshape(labels, ['E', 1]), 1);
  const own = ops.neg(ops.reshape(picked, ['E']));
  if (labelSmoothing === 0) return own;
  const spread = ops.neg(ops.reduceMean(logProbabilities, [1]));
  return ops.add(ops.mul(own, 1 - labelSmoothing), ops.mul(spread, labelSmoothing));
}

/**
 * Mean over the classes of −y·log σ(x) − (1 − y)·log(1 − σ(x)): [E,C], [E,C] → [E].
 * log σ(x) and log(1 − σ(x)) are log softmax([x, 0]): ONNX Runtime's Log is not the same on every
 * number of threads. Source: torch.nn.BCEWithLogitsLoss.
 */
function binaryCrossEntropy(logits: Value, values: Value): Value {
  const C = Number(logits.shape[1]);
  const x = ops.reshape(logits, ['E', C, 1]);
  const pair = ops.concat([x, ops.mul(x, 0)], 2);
  const parts = ops.split(ops.logSoftmax(pair), [1, 1], 2);
  const [yes, no] = parts.map((part) => ops.reshape(part, ['E', C]));
  if (yes === undefined || no === undefined) throw new Error('internal: Split lacks a part');
  const own = ops.add(ops.mul(values, yes), ops.mul(ops.sub(1, values), no));
  return ops.neg(ops.reduceMean(own, [1]));
}

/** Mean over the targets of (x − y)²: [E,C], [E,C] → [E]. Source: torch.nn.MSELoss. */
function squaredError(logits: Value, values: Value): Value {
  const difference = ops.sub(logits, values);
  return ops.reduceMean(ops.mul(difference, difference), [1]);
}
