import type { TokenizedRows } from '../data/tokenized-dataset.ts';
import type { Logits } from '../evaluation/logits.ts';
import { readableTokensOf } from './examples.ts';
import type { ModelDefinition } from './model.ts';
import { packExamples, type PackingLimits } from './packing.ts';
import { PassTensors } from './pass-tensors.ts';
import {
  allocateTensorData,
  type NamedTensors,
  type Runtime,
  type Session,
} from './runtime/runtime.ts';

export interface PredictorInput {
  readonly runtime: Runtime;
  readonly model: ModelDefinition;
  /** Tensors of all parameters, by name; they stay the caller's. */
  readonly parameters: NamedTensors;
  readonly padTokenId: number | null;
  readonly limits: PackingLimits;
  readonly threads: number;
}

/** Computes logits, without dropout. */
export interface Predictor {
  /**
   * @param onPass called before each pass with the number of rows done; it may throw to stop
   */
  predict(rows: TokenizedRows, onPass?: (rowsDone: number) => void): Promise<Logits>;
  release(): void;
}

/** Passes' worth of rows that are packed together. */
const WINDOW_PASSES = 8;

export function openPredictor(input: PredictorInput): Predictor {
  const { runtime, model, threads } = input;
  const session = runtime.createSession(model.inferenceGraph().onnx, {
    threads: model.sessionThreads(threads),
  });
  const passTensors = new PassTensors(runtime);
  return {
    predict: async (rows, onPass) => {
      const logits = new Float32Array(rows.ids.length * model.classes);
      for (let start = 0; start < rows.ids.length;) {
        const end = windowEnd(rows, start, WINDOW_PASSES * input.limits.tokensPerPass);
        await predictWindow({ ...input, session, passTensors, rows, start, end, logits, onPass });
        start = end;
      }
      return { classes: model.classes, logits };
    },
    release: () => session.release(),
  };
}

/** Consecutive rows of at most `tokens` tokens, at least one. */
function windowEnd(rows: TokenizedRows, start: number, tokens: number): number {
  const first = rows.offsets[start] ?? 0;
  let end = start + 1;
  while (end < rows.ids.length && (rows.offsets[end + 1] ?? 0) - first <= tokens) end++;
  return end;
}

interface WindowInput extends PredictorInput {
  readonly session: Session;
  readonly passTensors: PassTensors;
  readonly rows: TokenizedRows;
  readonly start: number;
  readonly end: number;
  readonly logits: Float32Array;
  readonly onPass: ((rowsDone: number) => void) | undefined;
}

async function predictWindow(input: WindowInput): Promise<void> {
  const { runtime, session, parameters, padTokenId, rows, start, end } = input;
  const C = input.model.classes;
  const examples = Array.from({ length: end - start }, (_, i) => ({
    inputIds: readableTokensOf(rows, start + i, padTokenId),
    label: 0,
    weight: 0,
  }));
  const lengths = examples.map(({ inputIds }) => inputIds.length);
  let done = start;
  for (const pass of packExamples(lengths, input.limits)) {
    input.onPass?.(done);
    const E = pass.placements.length;
    const bound = input.passTensors.bind({ pass, examples, padTokenId });
    const data = allocateTensorData('float32', E * C);
    const logits = runtime.createTensor({ elementType: 'float32', shape: [E, C], data });
    try {
      await session.run({ ...bound.inputs, ...parameters }, { logits });
    } finally {
      bound.release();
      logits.release();
    }
    for (const [i, { example }] of pass.placements.entries()) {
      input.logits.set(data.subarray(i * C, (i + 1) * C), (start + example) * C);
    }
    done += E;
  }
}
