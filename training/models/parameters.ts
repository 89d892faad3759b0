import type { InitializationRule } from '../random/weight-initialization.ts';
import type { LinearLayout, ParameterSpec } from './model-graph.ts';

const ZEROS: InitializationRule = { kind: 'zeros' };
const ONES: InitializationRule = { kind: 'ones' };

/** N(0, std). */
export function normal(std: number): InitializationRule {
  return { kind: 'normal', std };
}

/** A matrix that Trainer's weight decay applies to. */
export function weight(
  name: string,
  shape: readonly number[],
  initializer: InitializationRule,
): ParameterSpec {
  return { name, shape, initializer, isDecayed: true };
}

export interface LinearParameters {
  readonly path: string;
  readonly inputs: number;
  readonly outputs: number;
  readonly layout: LinearLayout;
  readonly initializer: InitializationRule;
  /** True when left out. */
  readonly hasBias?: boolean;
}

/** A linear layer's matrix and bias. */
export function linearParameters(layer: LinearParameters): readonly ParameterSpec[] {
  const { path, inputs, outputs, layout, initializer, hasBias = true } = layer;
  const shape = layout === 'inputs-outputs' ? [inputs, outputs] : [outputs, inputs];
  const matrix = { ...weight(`${path}.weight`, shape, initializer), linear: layout };
  if (!hasBias) return [matrix];
  return [matrix, { name: `${path}.bias`, shape: [outputs], initializer: ZEROS, isDecayed: false }];
}

export function layerNormParameters(path: string, width: number): readonly ParameterSpec[] {
  return [
    { name: `${path}.weight`, shape: [width], initializer: ONES, isDecayed: false },
    { name: `${path}.bias`, shape: [width], initializer: ZEROS, isDecayed: false },
  ];
}

/** Inputs and outputs of a linear layer's matrix. */
export function linearWidths({ shape, linear }: ParameterSpec): {
  readonly inputs: number;
  readonly outputs: number;
} {
  const [first = 0, second = 0] = shape;
  return linear === 'inputs-outputs'
    ? { inputs: first, outputs: second }
    : { inputs: second, outputs: first };
}

/** Number of weights. */
export function elementsOf({ shape }: { readonly shape: readonly number[] }): number {
  return shape.reduce((product, axis) => product * axis, 1);
}
