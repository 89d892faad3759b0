import type { Value } from '../graph/graph.ts';
import { add, erf, mul, relu, sigmoid } from '../graph/ops.ts';

/** Activation functions by Hugging Face's names. */
export const ACTIVATION_NAMES = ['gelu_new', 'gelu_pytorch_tanh', 'gelu', 'relu'] as const;

export type ActivationName = (typeof ACTIVATION_NAMES)[number];

export const ACTIVATIONS: Readonly<Record<ActivationName, (x: Value) => Value>> = {
  gelu: geluErf,
  gelu_new: geluTanh,
  gelu_pytorch_tanh: geluTanh,
  relu,
};

/** x·Φ(x) = x/2·(1 + erf(x/√2)). Source: Hendrycks and Gimpel, GELUs, 2016. */
function geluErf(x: Value): Value {
  return mul(mul(x, 0.5), add(erf(mul(x, Math.SQRT1_2)), 1));
}

/**
 * x/2·(1 + tanh z), z = √(2/π)·(x + 0.044715x³). Source: the same.
 * Computed as x·sigmoid(2z), which is equal and faster in ONNX Runtime than its operator Gelu.
 */
function geluTanh(x: Value): Value {
  const scale = 2 * Math.sqrt(2 / Math.PI);
  return mul(x, sigmoid(mul(x, add(mul(mul(x, x), scale * 0.044715), scale))));
}
