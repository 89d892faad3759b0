import { Graph, type Value } from '../graph/graph.ts';
import { toOnnx } from '../graph/onnx-file.ts';
import * as ops from '../graph/ops.ts';
import { adamWScalars } from '../optimizers/adamw.ts';
import type {
  AdamWOptions,
  OptimizerOptions,
  SgdOptions,
} from '../optimizers/optimizer-options.ts';
import type { OptimizerStep } from '../optimizers/optimizer-options.ts';
import type { MomentRegion } from '../optimizers/tensor-needs.ts';
import { Failure } from '../../plan/failures.ts';

/** What an update reads of a tensor and writes anew. */
type Slot = 'parameters' | MomentRegion;

type Slots = { readonly [slot in Slot]?: Value };

/** A tensor as an update's graph sees it. */
export interface UpdatedTensor {
  readonly shape: readonly number[];
  readonly isDecayed: boolean;
}

/** An optimizer's update of one tensor as ONNX operators: the formulas of kernels.wat. */
export interface UpdateRule {
  readonly slots: readonly Slot[];
  /** Number of scalars of a step. */
  readonly width: number;
  /** The scalars of a step, each rounded to float32 where it is used. */
  scalars(at: OptimizerStep): readonly number[];
  /** @param scalars each float32 [1] */
  next(slots: Slots, gradient: Value, scalars: readonly Value[], isDecayed: boolean): Slots;
}

/** @throws InvalidInput for an optimizer that only the CPU has */
export function updateRule(options: OptimizerOptions): UpdateRule {
  switch (options.kind) {
    case 'adamw':
      return adamW(options);
    case 'sgd':
      return options.momentum === 0 ? plainSgd(options) : momentumSgd(options);
    case 'adafactor':
      throw new Failure(
        'InvalidInput',
        "args.optim is 'adafactor', which is built for the device cpu only; use 'adamw_torch' or " +
          "'sgd', or set device to cpu",
      );
  }
}

/**
 * m = m + (1 − β₁)(g − m); v = β₂v + (1 − β₂)g²; p = keep·p + step·m / (√v / root + ε).
 * Source: torch.optim.adamw, _single_tensor_adam.
 */
function adamW(options: AdamWOptions): UpdateRule {
  return {
    slots: ['parameters', 'firstMoments', 'secondMoments'],
    width: 8,
    scalars: (at) => {
      const { scale, keep, rate1, beta2, rate2, root, epsilon, step } = adamWScalars(options, at);
      return [scale, keep, rate1, beta2, rate2, root, epsilon, step];
    },
    next: (slots, gradient, scalars, isDecayed) => {
      const [scale, keep, rate1, beta2, rate2, root, epsilon, step] = eight(scalars);
      const [p, m, v] = [slots.parameters, slots.firstMoments, slots.secondMoments].map(given);
      const g = ops.mul(gradient, scale);
      const firstMoments = ops.add(given(m), ops.mul(rate1, ops.sub(g, given(m))));
      const secondMoments = ops.add(ops.mul(given(v), beta2), ops.mul(ops.mul(rate2, g), g));
      const denominator = ops.add(ops.div(ops.sqrt(secondMoments), root), epsilon);
      const kept = isDecayed ? ops.mul(given(p), keep) : given(p);
      const change = ops.div(ops.mul(step, firstMoments), denominator);
      return { parameters: ops.add(kept, change), firstMoments, secondMoments };
    },
  };
}

/** p = p + step·(scale·g + decay·p). Source: torch.optim.sgd, _single_tensor_sgd. */
function plainSgd({ weightDecay }: SgdOptions): UpdateRule {
  return {
    slots: ['parameters'],
    width: 3,
    scalars: (at) => [at.gradientScale, weightDecay, -at.learningRate],
    next: (slots, gradient, [scale, decay, step], isDecayed) => {
      const p = given(slots.parameters);
      const g = decayedGradient(p, ops.mul(gradient, given(scale)), given(decay), isDecayed);
      return { parameters: ops.add(p, ops.mul(given(step), g)) };
    },
  };
}

/** b = momentum·b + fresh·g; p = p + step·(own·g + share·b). Source: as plainSgd. */
function momentumSgd({ weightDecay, momentum, dampening, nesterov }: SgdOptions): UpdateRule {
  const [own, share] = nesterov ? [1, momentum] : [0, 1];
  return {
    slots: ['parameters', 'firstMoments'],
    width: 7,
    scalars: (at) => {
      // The first step's buffer is the gradient as it is: torch does not dampen it.
      const fresh = at.step === 1 ? 1 : 1 - dampening;
      return [at.gradientScale, weightDecay, momentum, fresh, own, share, -at.learningRate];
    },
    next: (slots, gradient, scalars, isDecayed) => {
      const [scale, decay, keep, fresh, own, share, step] = scalars.map(given);
      const [p, buffer] = [slots.parameters, slots.firstMoments].map(given);
      const scaled = ops.mul(gradient, given(scale));
      const g = decayedGradient(given(p), scaled, given(decay), isDecayed);
      const firstMoments = ops.add(ops.mul(given(buffer), given(keep)), ops.mul(given(fresh), g));
      const direction = ops.add(ops.mul(given(own), g), ops.mul(given(share), firstMoments));
      return { parameters: ops.add(given(p), ops.mul(given(step), direction)), firstMoments };
    },
  };
}

function decayedGradient(p: Value, g: Value, decay: Value, isDecayed: boolean): Value {
  return isDecayed ? ops.add(g, ops.mul(decay, p)) : g;
}

/**
 * Updates a list of tensors. Inputs: `scalars` float32 [width], and of each tensor i `SLOT.i` and
 * `gradients.i`; outputs `next.SLOT.i`, all with the tensor's shape. It never writes where it reads.
 */
export function updateGraph(rule: UpdateRule, tensors: readonly UpdatedTensor[]): Uint8Array {
  const graph = new Graph();
  const vector = graph.input('scalars', 'float32', [rule.width]);
  const lengths = Array.from({ length: rule.width }, () => 1);
  const scalars = rule.width === 1 ? [vector] : ops.split(vector, lengths, 0);
  for (const [i, { shape, isDecayed }] of tensors.entries()) {
    const inputs = rule.slots.map((slot) => [slot, graph.input(`${slot}.${i}`, 'float32', shape)]);
    const slots: Slots = Object.fromEntries(inputs);
    const gradient = graph.input(`gradients.${i}`, 'float32', shape);
    const next = rule.next(slots, gradient, scalars, isDecayed);
    for (const slot of rule.slots) graph.output(`next.${slot}.${i}`, given(next[slot]));
  }
  return toOnnx(graph);
}

/** `next.gradients.i` = `gradients.i` + `passGradients.i`. */
export function accumulationGraph(tensors: readonly UpdatedTensor[]): Uint8Array {
  const graph = new Graph();
  for (const [i, { shape }] of tensors.entries()) {
    const gradients = graph.input(`gradients.${i}`, 'float32', shape);
    const passGradients = graph.input(`passGradients.${i}`, 'float32', shape);
    graph.output(`next.gradients.${i}`, ops.add(gradients, passGradients));
  }
  return toOnnx(graph);
}

/** `sum` float32 [1] = Σ (factor × g)² over all tensors; `factor` float32 [1]. */
export function squareSumGraph(tensors: readonly UpdatedTensor[]): Uint8Array {
  const graph = new Graph();
  const factor = graph.input('factor', 'float32', [1]);
  const sums = tensors.map(({ shape }, i) => {
    const gradient = graph.input(`gradients.${i}`, 'float32', shape);
    const length = shape.reduce((product, axis) => product * axis, 1);
    const g = ops.mul(ops.reshape(gradient, [length]), factor);
    return ops.reduceSum(ops.mul(g, g), [0], { keepDims: true });
  });
  graph.output('sum', ops.reduceSum(ops.concat(sums, 0), [0], { keepDims: true }));
  return toOnnx(graph);
}

type Eight<T> = readonly [T, T, T, T, T, T, T, T];

function eight(values: readonly Value[]): Eight<Value> {
  if (values.length !== 8) throw new Error(`internal: ${values.length} scalars of AdamW`);
  return values as unknown as Eight<Value>;
}

function given(value: Value | undefined): Value {
  if (value === undefined) throw new Error('internal: an update lacks a tensor');
  return value;
}
