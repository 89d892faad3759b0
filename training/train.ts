import type { TokenizedRows } from '../data/tokenized-dataset.ts';
import type { Verdict } from '../evaluation/verdicts.ts';
import type { TrainingArguments } from './arguments.ts';
import type { EarlyStopping } from './best-model.ts';
import type { CheckpointOptions } from './checkpoints/checkpointer.ts';
import type { Device } from './devices/device.ts';
import { requireDevice } from './devices/device-probe.ts';
import type { DivergenceRule } from './divergence.ts';
import { checkRows } from './examples.ts';
import { runTraining } from './loop.ts';
import type { ModelPurpose } from './model.ts';
import type { LoraOptions } from './models/lora.ts';
import { optimizerOptions } from './optimizer-choice.ts';
import { openModel } from './open-model.ts';
import { precisionOf } from './precision-choice.ts';
import { limitedTo, PACKING } from './packing.ts';
import { openPredictor } from './prediction.ts';
import { mixRows, type Replay } from './replay.ts';
import { loadRuntime } from './runtime/runtime.ts';
import { planSchedule } from './schedule.ts';
import type { ExampleSource } from './step-examples.ts';
import { chooseTrainable, type Freeze } from './trainable.ts';
import { classLabels } from './trained-model.ts';
import { trainedShare } from './trained-share.ts';
import type { HistoryRow } from './training-progress.ts';
import type { TrainingEvent } from './training-event.ts';
import { writeResult } from './training-result.ts';
import { openTrainingSession } from './training-session.ts';
import { beginTraining, type PreparedTraining } from './training-start.ts';
import type { ModelFiles } from './weights/model-files.ts';

export interface TrainInput extends Omit<ModelPurpose, 'labelCount'> {
  readonly modelFiles: ModelFiles;
  readonly trainRows: TokenizedRows;
  /** Evaluated as args.eval_strategy says. */
  readonly evalRows?: TokenizedRows;
  /** Names of the datasets' classes, or null. */
  readonly labels: readonly string[] | null;
  /** The tokenizer's; it becomes the trained model's pad_token_id. */
  readonly padTokenId: number | null;
  readonly args: TrainingArguments;
  readonly freeze?: Freeze;
  readonly lora?: LoraOptions;
  /** Factor of each class in the loss. */
  readonly classWeights?: readonly number[];
  readonly earlyStopping?: EarlyStopping;
  /** Without it a finite loss never ends the training. */
  readonly divergence?: DivergenceRule;
  readonly replay?: Replay;
  /** Stops after so many optimizer steps of the schedule, and leaves a checkpoint to go on from. */
  readonly stopAtStep?: number;
  readonly threads: number;
  /** False: each example is a row of its own, padded. */
  readonly pack?: boolean;
  /** Most tokens of a pass, where memory ran out before: the last bits become others. */
  readonly tokensPerPass?: number;
  /** Where it is trained; without it on the CPU, with bits that do not depend on threads. */
  readonly device?: Device;
  /** Where the model and the history are written. */
  readonly outputDirectory: string;
  readonly checkpoints?: CheckpointOptions;
  /** Stops after the current optimizer step and a checkpoint, with its reason. */
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: TrainingEvent) => void;
}

export interface TrainResult {
  /** Local paths of config.json and model.safetensors. */
  readonly modelFiles: ModelFiles;
  /** Local path of history.jsonl. */
  readonly historyFile: string;
  readonly history: readonly HistoryRow[];
  /** Numbers of the whole training; they follow from the input alone. */
  readonly metrics: { readonly [name: string]: number };
  /** Step of the best evaluation; the last step without evaluations. */
  readonly bestStep: number;
  /** What the curves say of it. */
  readonly verdict: Verdict;
  readonly steps: number;
  readonly resumedFromStep: number;
  /** False when it was resumed on a platform that may compute other bits, or in smaller passes. */
  readonly exact: boolean;
  /** Parameters that no weights file had: the head, created from the seed. */
  readonly created: readonly string[];
  readonly parameters: number;
  /** Of those and of adapters, how many were trained. */
  readonly trainableParameters: number;
}

/**
 * Fine-tunes a model; continues from the newest checkpoint of the same key, if there is one.
 * For the same input the model is the same, byte for byte, however often it was interrupted, at any
 * number of threads, on equal platforms.
 *
 * @throws InvalidInput, NotFound (model files), OutOfMemory, DiskFull, Diverged, DeviceUnavailable,
 *   or the signal's reason, after a checkpoint
 */
export async function train(input: TrainInput): Promise<TrainResult> {
  const prepared = await prepare(input);
  const { session, predictor } = prepared;
  try {
    const { checkpointer, progress, resumedFromStep } = await beginTraining(input, prepared);
    const { schedule, mixed } = prepared;
    const { args, evalRows, earlyStopping, divergence, stopAtStep, signal } = input;
    const onEvent = input.onEvent ?? ignore;
    onEvent({ kind: 'started', resumedFromStep, totalSteps: schedule.totalSteps });
    onEvent(trainedShare(prepared));
    try {
      await runTraining({
        ...{ session, schedule, args, mixed, progress, checkpointer, signal, onEvent },
        ...{ earlyStopping, divergence, stopAtStep },
        examples: exampleSource(input, prepared),
        evaluation: evalRows && predictor && { rows: evalRows, predictor },
      });
    } finally {
      // After a failure of something else, the checkpoint under way is still worth its end.
      await checkpointer.finish().catch(ignore);
    }
    return await writeResult(input, prepared, progress, resumedFromStep);
  } finally {
    predictor?.release();
    await session.close();
  }
}

function exampleSource(input: TrainInput, prepared: PreparedTraining): ExampleSource {
  const { padTokenId, classWeights, args } = input;
  const { model, trainable } = prepared;
  const { rows } = prepared.mixed;
  return {
    ...{ rows, model, padTokenId },
    ...(classWeights !== undefined && { classWeights }),
    dropoutSeed: model.hasDropout(trainable.adapters) ? args.seed : undefined,
  };
}

/** Checks everything that can be checked before the first step, then compiles the graphs. */
async function prepare(input: TrainInput): Promise<PreparedTraining> {
  const { trainRows, evalRows, replay, padTokenId, args, threads, device } = input;
  const runtime = loadRuntime();
  if (device !== undefined) await requireDevice(runtime, device, precisionOf(args));
  const { config, model } = await openModel(input.modelFiles, {
    ...input,
    labelCount: labelCount(input),
  });
  const trainable = chooseTrainable(model, input);
  const labels = model.task === 'causal-lm' ? null : classLabels(input.labels, config, model);
  const requirements = { model, padTokenId, needsAnswers: true };
  checkRows(trainRows, { ...requirements, name: 'train_dataset' });
  if (evalRows !== undefined) checkRows(evalRows, { ...requirements, name: 'eval_dataset' });
  if (replay !== undefined) checkRows(replay.rows, { ...requirements, name: 'replay.dataset' });
  const mixed = mixRows(trainRows, replay);
  const schedule = planSchedule(args, mixed.primaryRows + mixed.replayedRows);
  const limits = limitedTo(PACKING, input.tokensPerPass ?? PACKING.tokensPerPass);
  const shared = {
    ...{ runtime, model, padTokenId, limits, threads },
    ...(device !== undefined && { device }),
  };
  const session = await openTrainingSession({
    ...{ ...shared, trainable, labelSmoothing: args.label_smoothing_factor },
    limits: { ...limits, isUnpacked: input.pack === false },
    optimizer: optimizerOptions(args),
    precision: precisionOf(args),
  });
  const { parameters } = session;
  const { adapters } = trainable;
  const predictor =
    evalRows === undefined ? undefined : openPredictor({ ...shared, adapters, parameters });
  return { config, model, trainable, labels, mixed, schedule, runtime, session, predictor };
}

/** Labels of the dataset, where it has any. */
function labelCount({ labels, trainRows }: TrainInput): number | undefined {
  if (labels !== null) return labels.length < 2 ? undefined : labels.length;
  return trainRows.values === null ? undefined : trainRows.valuesPerRow;
}

function ignore(): void {}
