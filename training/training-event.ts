/** What happens during a training, for whoever watches. */
export type TrainingEvent =
  | {
      readonly kind: 'started';
      /** 0 when no checkpoint was found. */
      readonly resumedFromStep: number;
      readonly totalSteps: number;
    }
  /** How much is trained, and the memory of that: `304 of 8,384 parameters (3.6 %); ...`. */
  | { readonly kind: 'trainable'; readonly message: string; readonly isPart: boolean }
  | {
      readonly kind: 'step';
      readonly step: number;
      readonly totalSteps: number;
      readonly epoch: number;
      readonly loss: number;
      readonly learningRate: number;
      readonly gradNorm: number;
      readonly tokens: number;
      /** Tokens that were computed, padding included. */
      readonly computedTokens: number;
      readonly tokensPerSecond: number;
      readonly etaSeconds: number;
    }
  | {
      readonly kind: 'evaluation';
      readonly step: number;
      readonly loss: number;
      /** By name: accuracy, perplexity, ... */
      readonly scores: { readonly [name: string]: number };
    }
  | { readonly kind: 'checkpoint'; readonly step: number; readonly seconds: number }
  /** A sentence that a person should see. */
  | { readonly kind: 'note'; readonly message: string };
