import type { TokenizedRows } from '../data/tokenized-dataset.ts';
import type { Logits } from '../evaluation/logits.ts';
import type { ProblemType } from './models/problem-types.ts';
import type { Device } from './devices/device.ts';
import { requireDevice } from './devices/device-probe.ts';
import { placeParameters } from './devices/placed-parameters.ts';
import { checkRows } from './examples.ts';
import { loadModelWeights, openModel } from './open-model.ts';
import { limitedTo, PACKING } from './packing.ts';
import { openPredictor, type TokenLoss } from './prediction.ts';
import { allocateTensorData, loadRuntime, type Tensor } from './runtime/runtime.ts';
import type { ModelFiles } from './weights/model-files.ts';

export interface EvaluateInput {
  readonly modelFiles: ModelFiles;
  readonly rows: TokenizedRows;
  readonly padTokenId: number | null;
  readonly threads: number;
  /** Most tokens of a pass, where memory ran out before. */
  readonly tokensPerPass?: number;
  /** Where passes run; without it on the CPU. */
  readonly device?: Device;
  /** Stops before the next pass, with its reason. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (rowsDone: number) => void;
}

/** What a model answered: logits of every row, or a language model's loss. */
export type ModelAnswers =
  | {
      readonly task: 'text-classification';
      readonly problemType: ProblemType;
      readonly logits: Logits;
    }
  | { readonly task: 'causal-lm'; readonly tokenLoss: TokenLoss };

/**
 * A trained model's answers on every row, without dropout.
 * @throws InvalidInput (a model without its head, rows it cannot read), NotFound, OutOfMemory,
 *   DeviceUnavailable, or the signal's reason
 */
export async function evaluate(input: EvaluateInput): Promise<ModelAnswers> {
  const { rows, padTokenId, threads, signal, device } = input;
  const runtime = loadRuntime();
  if (device !== undefined) await requireDevice(runtime, device);
  const { model } = await openModel(input.modelFiles);
  const needsAnswers = model.task === 'causal-lm';
  checkRows(rows, { name: 'dataset', model, padTokenId, needsAnswers });
  const tensors = new Map<string, Tensor<'float32'>>();
  const target = (spec: { name: string; shape: readonly number[] }): Float32Array => {
    const elements = spec.shape.reduce((product, axis) => product * axis, 1);
    const data = allocateTensorData('float32', elements);
    const tensor = { elementType: 'float32', shape: spec.shape, data } as const;
    tensors.set(spec.name, runtime.createTensor(tensor));
    return data;
  };
  try {
    await loadModelWeights(input.modelFiles, model, {
      target,
      // An evaluation of a head that nobody trained would say nothing.
      mayLack: [],
      seed: 0,
    });
    const parameters = await placeParameters(runtime, device, Object.fromEntries(tensors));
    const predictor = openPredictor({
      ...{ runtime, model, padTokenId, threads },
      limits: limitedTo(PACKING, input.tokensPerPass ?? PACKING.tokensPerPass),
      parameters: () => parameters.values,
      ...(device !== undefined && { device }),
    });
    try {
      const onPass = (rowsDone: number): void => {
        signal?.throwIfAborted();
        input.onProgress?.(rowsDone);
      };
      const { task, problemType } = model;
      return task === 'causal-lm'
        ? { task, tokenLoss: await predictor.tokenLoss(rows, onPass) }
        : { task, problemType, logits: await predictor.predict(rows, onPass) };
    } finally {
      predictor.release();
      parameters.release();
    }
  } finally {
    for (const tensor of tensors.values()) tensor.release();
  }
}
