/** AdamW's constants, under Hugging Face's names without `adam_`. */
export interface AdamWOptions {
  readonly kind: 'adamw';
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** Of the tensors that are decayed; the others get none. */
  readonly weightDecay: number;
}

/** Stochastic gradient descent, under torch's names. All but the decay are 0 and false in Trainer. */
export interface SgdOptions {
  readonly kind: 'sgd';
  /** Coupled: added to the gradient of the tensors that are decayed. */
  readonly weightDecay: number;
  readonly momentum: number;
  readonly dampening: number;
  /** Needs a momentum, and no dampening. */
  readonly nesterov: boolean;
}

/** Adafactor as Trainer creates it; all else is constant: see adafactor.ts. */
export interface AdafactorOptions {
  readonly kind: 'adafactor';
  /** Of the tensors that are decayed; the others get none. */
  readonly weightDecay: number;
}

/** What an optimizer is opened with. */
export type OptimizerOptions = AdamWOptions | SgdOptions | AdafactorOptions;

/** The scalars of one optimizer step. */
export interface OptimizerStep {
  /** From 1. */
  readonly step: number;
  readonly learningRate: number;
  /** Factor on every gradient: the clipping coefficient. */
  readonly gradientScale: number;
}
