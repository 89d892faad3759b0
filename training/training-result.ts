import type { TrainInput, TrainResult } from './train.ts';
import { elementsOf } from './models/parameters.ts';
import { writeAdapter } from './trained-adapter.ts';
import { writeHistory, writeTrainedModel } from './trained-model.ts';
import type { TrainingProgress } from './training-progress.ts';
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
  const { step, history, totalLoss, best, exact, created } = progress;
  const weights = (name: string): Float32Array => session.weights(name);
  const { adapters } = trainable;
  const trained = { directory, config, model, adapters, weights, labels, padTokenId };
  const adapterFiles = lora === undefined ? {} : await writeAdapter({ ...trained, lora, created });
  return {
    modelFiles: { ...(await writeTrainedModel(trained)), ...adapterFiles },
    historyFile: await writeHistory(directory, history),
    history,
    metrics: { train_loss: totalLoss / step, ...lastEvaluation(progress) },
    bestStep: best?.step ?? step,
    steps: step,
    resumedFromStep,
    exact,
    created,
    parameters: model.parameters.reduce((sum, spec) => sum + elementsOf(spec), 0),
    trainableParameters: trainable.parameters.reduce((sum, spec) => sum + elementsOf(spec), 0),
  };
}

/** The numbers of the history's last evaluation. */
function lastEvaluation({ history }: TrainingProgress): { readonly [name: string]: number } {
  const row = history.findLast((candidate) => 'eval_loss' in candidate) ?? {};
  const numbers: readonly (readonly [string, number])[] = Object.entries(row);
  return Object.fromEntries(numbers.filter(([name]) => name.startsWith('eval_')));
}
