import type { Value } from '../graph/graph.ts';
import type { ModelScope } from './layers.ts';
import type { ParameterSpec } from './model-graph.ts';

/** What turns pooled states into logits. */
export interface Head {
  /** Hugging Face's class, as `GPT2ForSequenceClassification`. */
  readonly architecture: string;
  /** A base checkpoint lacks them. */
  readonly parameters: readonly ParameterSpec[];
  /** Parameters of the transformer that it multiplies by, as a linear layer does. */
  readonly tied?: readonly ParameterSpec[];
  /** [E,C] of the pooled states [E,channels]. */
  readonly logits: (scope: ModelScope, states: Value) => Value;
  /** Of its own dropouts, the largest probability. */
  readonly dropout: number;
  /** That of a language model. @see ModelScope */
  readonly readsEveryToken?: true;
}

/** A transformer as Hugging Face defines it, whatever is made of its states. */
export interface Transformer {
  /** What base checkpoints leave out at the start of parameter names. */
  readonly basePrefix: string;
  /** Its parameters, under the names that they have below a head. */
  readonly parameters: readonly ParameterSpec[];
  /** Names of those that a base checkpoint may lack: they are created from the seed. */
  readonly mayLack: readonly string[];
  /** Other entries of Hugging Face's checkpoints: buffers, and heads of other tasks. */
  readonly knownExtras: RegExp;
  readonly vocabulary: number;
  /** Longest example, in tokens. */
  readonly positions: number;
  readonly padTokenId: number | null;
  /** Whether positions depend on which token is the pad token: another one makes another model. */
  readonly hasPadPositions?: true;
  /** Attention heads of a layer. */
  readonly attentionHeads: number;
  readonly layers: number;
  /** Which layer a parameter belongs to, from 0; undefined for embeddings and the like. */
  readonly layerOf: (parameter: string) => number | undefined;
  /** Linear layers that PEFT adapts when it is not told which; of DistilBERT those it takes of BERT. */
  readonly adapted: readonly string[];
  /** The largest probability of its dropouts. */
  readonly dropout: number;
  /** Appends it to the graph. @returns states of the tokens that targets are predicted from: [E,channels] */
  readonly states: (scope: ModelScope) => Value;
  /** For `labels` classes or regression targets. */
  readonly classifier: (labels: number) => Head;
  /** Position of the token that a classification head reads. */
  readonly pooledPosition: (ids: ArrayLike<number>, padTokenId: number | null) => number;
  /** Undefined for an encoder. */
  readonly languageModel: Head | undefined;
}
