import type { TokenizedRows } from '../data/tokenized-dataset.ts';
import { judgeCurves } from '../evaluation/verdicts.ts';
import type { TrainInput, TrainResult } from './train.ts';
import { elementsOf } from './models/parameters.ts';
import { writeAdapter } from './trained-adapter.ts';
import { writeHistory, writeTrainedModel } from './trained-model.ts';
import { isEvaluation, paddingShare, type TrainingProgress } from './training-progress.ts';
import type { PreparedTraining } from './training-start.ts';

/** Writes the model, with LoRA its adapter, and the history. @throws DiskFull */
export async function writeResult(
  input: TrainInput,
  prepared: PreparedTraining,
  progress: TrainingProgress,
  resumedFromStep: number,
): Promise<TrainResult> {
  const { outputDirectory: directory, padTokenId, lora } = input;
  const { config, model, labels, session, trainable } = prepared;
  const { step, history, totalLoss, totalTokens, best, exact, created } = progress;
  const { load_best_model_at_end: hasBestModel } = input.args;
  const modelStep = hasBestModel ? (progress.savedBestStep ?? step) : step;
  await session.download();
  const weights = (name: string): Float32Array => session.weights(name);
  const { adapters } = trainable;
  const trained = { directory, config, model, adapters, weights, labels, padTokenId };
  const adapterFiles = lora === undefined ? {} : await writeAdapter({ ...trained, lora, created });
  return {
    modelFiles: { ...(await writeTrainedModel(trained)), ...adapterFiles },
    historyFile: await writeHistory(directory, history),
    history,
    metrics: {
      train_loss: totalLoss / step,
      padding_fraction: paddingShare(totalTokens),
      ...evaluationOf(progress, modelStep),
    },
    bestStep: best?.step ?? step,
    verdict: judgeCurves({
      ...{ history, hasBestModel },
      majorityAccuracy: majorityAccuracy(input.evalRows),
    }),
    steps: step,
    resumedFromStep,
    exact,
    created,
    parameters: model.parameters.reduce((sum, spec) => sum + elementsOf(spec), 0),
    trainableParameters: trainable.parameters.reduce((sum, spec) => sum + elementsOf(spec), 0),
  };
}

/** The numbers of the evaluation of the model, or else of the last one. */
function evaluationOf(
  { history }: TrainingProgress,
  modelStep: number,
): { readonly [name: string]: number } {
  const evaluations = history.filter(isEvaluation);
  const row = evaluations.findLast(({ step }) => step === modelStep) ?? evaluations.at(-1) ?? {};
  const numbers: readonly (readonly [string, number])[] = Object.entries(row);
  return Object.fromEntries(numbers.filter(([name]) => name.startsWith('eval_')));
}

/** Accuracy of always answering the most frequent label; null for rows without classes. */
function majorityAccuracy(rows: TokenizedRows | undefined): number | null {
  if (rows?.labels == null) return null;
  const counts = new Map<number, number>();
  for (const label of rows.labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  return Math.max(...counts.values()) / rows.labels.length;
}
