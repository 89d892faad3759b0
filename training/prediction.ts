import type { TokenizedRows } from '../data/tokenized-dataset.ts';
import type { Logits } from '../evaluation/logits.ts';
import type { Device } from './devices/device.ts';
import { readableTokensOf } from './examples.ts';
import type { ModelDefinition } from './model.ts';
import type { Adapter } from './models/lora.ts';
import { passesOf, type PackingLimits, type Pass } from './packing.ts';
import { PassTensors, targetsOf, type Example } from './pass-tensors.ts';
import {
  allocateTensorData,
  type NamedValues,
  type Runtime,
  type Session,
  type Tensor,
} from './runtime/runtime.ts';
import { rowTargets } from './step-examples.ts';

export interface PredictorInput {
  readonly runtime: Runtime;
  readonly model: ModelDefinition;
  /** Of a training with LoRA. */
  readonly adapters?: readonly Adapter[];
  /** Tensors of all parameters and adapters, by name, as they are; they stay the caller's. */
  readonly parameters: () => NamedValues;
  readonly padTokenId: number | null;
  readonly limits: PackingLimits;
  readonly threads: number;
  /** Where the parameters lie, and passes run; without it in our memory. */
  readonly device?: Device;
}

/** Cross entropy of a language model on the tokens that it predicted. */
export interface TokenLoss {
  /** Mean over the tokens, in nats; NaN without any. */
  readonly loss: number;
  readonly tokens: number;
}

/** Computes without dropout. `onPass` is called before each pass; it may throw to stop. */
export interface Predictor {
  /** Logits of a classifier: one row of them a row. */
  predict(rows: TokenizedRows, onPass?: (rowsDone: number) => void): Promise<Logits>;
  /** Loss of a language model. */
  tokenLoss(rows: TokenizedRows, onPass?: (rowsDone: number) => void): Promise<TokenLoss>;
  release(): void;
}

/** Passes' worth of rows that are packed together. */
const WINDOW_PASSES = 8;

export function openPredictor(input: PredictorInput): Predictor {
  const { runtime, model, threads, device } = input;
  const session = runtime.createSession(model.inferenceGraph(input.adapters).onnx, {
    threads: model.sessionThreads(threads),
    ...(device !== undefined && { device }),
  });
  const passes = new PredictionPasses(input, session);
  return {
    predict: async (rows, onPass) => {
      const C = model.classes;
      const logits = new Float32Array(rows.ids.length * C);
      await passes.run(rows, 'logits', onPass, (data, first, placements) => {
        for (const [i, { example }] of placements.entries()) {
          logits.set(data.subarray(i * C, (i + 1) * C), (first + example) * C);
        }
      });
      return { classes: C, logits };
    },
    tokenLoss: async (rows, onPass) => {
      let total = 0;
      let tokens = 0;
      await passes.run(rows, 'losses', onPass, (data, _first, _placements, weights) => {
        for (const [i, loss] of data.entries()) {
          if (weights[i] === 0) continue;
          total += loss;
          tokens += 1;
        }
      });
      return { loss: total / tokens, tokens };
    },
    release: () => session.release(),
  };
}

/** What a pass answered, for the rows of a window that begins at `first`. */
type Collect = (
  data: Float32Array,
  first: number,
  placements: Pass['placements'],
  weights: Float32Array,
) => void;

class PredictionPasses {
  readonly #input: PredictorInput;
  readonly #session: Session;
  readonly #tensors: PassTensors;

  constructor(input: PredictorInput, session: Session) {
    this.#input = input;
    this.#session = session;
    this.#tensors = new PassTensors(input.runtime);
  }

  async run(
    rows: TokenizedRows,
    output: 'logits' | 'losses',
    onPass: ((rowsDone: number) => void) | undefined,
    collect: Collect,
  ): Promise<void> {
    const { limits, model } = this.#input;
    for (let start = 0; start < rows.ids.length;) {
      const end = windowEnd(rows, start, WINDOW_PASSES * limits.tokensPerPass);
      const examples = this.#examples(rows, start, end);
      const lengths = examples.map(({ inputIds }) => inputIds.length);
      let done = start;
      for (const pass of passesOf(lengths, limits, model.imported)) {
        onPass?.(done);
        const { data, weights } = await this.#pass(pass, examples, output);
        collect(data, start, pass.placements, weights);
        done += pass.placements.length;
      }
      start = end;
    }
  }

  #examples(rows: TokenizedRows, start: number, end: number): readonly Example[] {
    const { model, padTokenId } = this.#input;
    return Array.from({ length: end - start }, (_, i) => ({
      inputIds: readableTokensOf(rows, start + i, padTokenId),
      targets: rowTargets({ rows, model, padTokenId }, start + i, 0),
    }));
  }

  async #pass(
    pass: Pass,
    examples: readonly Example[],
    output: 'logits' | 'losses',
  ): Promise<{ readonly data: Float32Array; readonly weights: Float32Array }> {
    const { runtime, model, parameters, padTokenId } = this.#input;
    const { valuesWidth } = model;
    const E = targetsOf(pass, examples);
    const shape = output === 'logits' ? [E, model.classes] : [E];
    const bound = this.#tensors.bind({ pass, examples, padTokenId, valuesWidth });
    const answer = answerTensor(runtime, shape);
    try {
      await this.#session.run({ ...bound.inputs, ...parameters() }, { [output]: answer });
      const weights = bound.inputs['example_weights']?.data as Float32Array;
      return { data: answer.data, weights };
    } finally {
      bound.release();
      answer.release();
    }
  }
}

function answerTensor(runtime: Runtime, shape: readonly number[]): Tensor<'float32'> {
  const elements = shape.reduce((product, length) => product * length, 1);
  const data = allocateTensorData('float32', elements);
  return runtime.createTensor({ elementType: 'float32', shape, data });
}

/** Consecutive rows of at most `tokens` tokens, at least one. */
function windowEnd(rows: TokenizedRows, start: number, tokens: number): number {
  const first = rows.offsets[start] ?? 0;
  let end = start + 1;
  while (end < rows.ids.length && (rows.offsets[end + 1] ?? 0) - first <= tokens) end++;
  return end;
}
