import type { TokenizedRows } from '../data/tokenized-dataset.ts';
import type { TrainingArguments } from './arguments.ts';
import {
  Checkpointer,
  type CheckpointEvent,
  type CheckpointOptions,
} from './checkpoints/checkpointer.ts';
import { checkRows } from './examples.ts';
import { runTraining, type TrainingEvent } from './loop.ts';
import { defineModel, type ModelDefinition } from './model.ts';
import type { PackingLimits } from './packing.ts';
import { describePlatform, platformChanges } from './platform.ts';
import { openPredictor, type Predictor } from './prediction.ts';
import { loadRuntime, type Runtime } from './runtime/runtime.ts';
import { planSchedule, type Schedule } from './schedule.ts';
import { classLabels, writeHistory, writeTrainedModel } from './trained-model.ts';
import { startProgress, type HistoryRow, type TrainingProgress } from './training-progress.ts';
import { openTrainingSession, type TrainingSession } from './training-session.ts';
import { readConfig, weightFiles, type ModelFiles } from './weights/model-files.ts';
import { loadWeights } from './weights/weight-loading.ts';

/**
 * How examples are packed. The order of sums, and so the last bits of a model, depend on it: a
 * change must raise the revision of the step kinds that train.
 */
export const PACKING: PackingLimits = { tokensPerPass: 1024, tokensPerRow: 256 };

export interface TrainInput {
  readonly modelFiles: ModelFiles;
  readonly trainRows: TokenizedRows;
  /** Evaluated at the end of each epoch. */
  readonly evalRows?: TokenizedRows;
  /** Names of the datasets' classes, or null. */
  readonly labels: readonly string[] | null;
  /** The tokenizer's; it becomes the trained model's pad_token_id. */
  readonly padTokenId: number | null;
  readonly args: TrainingArguments;
  readonly threads: number;
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
  /** Step of the evaluation with the lowest loss; the last step without evaluations. */
  readonly bestStep: number;
  readonly steps: number;
  readonly resumedFromStep: number;
  /** False when it was resumed on a platform that may compute other bits. */
  readonly exact: boolean;
  /** Parameters that no weights file had: the head, created from the seed. */
  readonly created: readonly string[];
  readonly parameters: number;
}

/**
 * Fine-tunes a classifier; continues from the newest checkpoint of the same key, if there is one.
 * For the same input the model is the same, byte for byte, however often it was interrupted, at any
 * number of threads, on equal platforms.
 *
 * @throws InvalidInput, NotFound (model files), OutOfMemory, DiskFull, Diverged, DeviceUnavailable,
 *   or the signal's reason, after a checkpoint
 */
export async function train(input: TrainInput): Promise<TrainResult> {
  const prepared = await prepare(input);
  const { session, predictor, model } = prepared;
  try {
    const { checkpointer, progress, resumedFromStep } = await begin(input, prepared);
    const { schedule } = prepared;
    const { args, trainRows, evalRows, padTokenId, signal } = input;
    const onEvent = input.onEvent ?? ignore;
    onEvent({ kind: 'started', resumedFromStep, totalSteps: schedule.totalSteps });
    try {
      await runTraining({
        ...{ session, schedule, args, trainRows, padTokenId, progress, checkpointer },
        hasDropout: model.hasDropout,
        evaluation: evalRows && predictor && { rows: evalRows, predictor },
        ...{ signal, onEvent },
      });
    } finally {
      // After a failure of something else, the checkpoint under way is still worth its end.
      await checkpointer?.finish().catch(ignore);
    }
    return await writeResult(input, prepared, progress, resumedFromStep);
  } finally {
    predictor?.release();
    await session.close();
  }
}

interface PreparedTraining {
  readonly config: { readonly [key: string]: unknown };
  readonly model: ModelDefinition;
  readonly labels: readonly string[];
  readonly schedule: Schedule;
  readonly runtime: Runtime;
  readonly session: TrainingSession;
  readonly predictor: Predictor | undefined;
}

/** Checks everything that can be checked before the first step, then compiles the graphs. */
async function prepare(input: TrainInput): Promise<PreparedTraining> {
  const { trainRows, evalRows, padTokenId, args, threads } = input;
  const runtime = loadRuntime();
  const config = await readConfig(input.modelFiles);
  const model = defineModel(config);
  const labels = classLabels(input.labels, config, model);
  const requirements = { model, padTokenId, needsLabels: true };
  checkRows(trainRows, { ...requirements, name: 'train_dataset' });
  if (evalRows !== undefined) checkRows(evalRows, { ...requirements, name: 'eval_dataset' });
  const shared = { runtime, model, padTokenId, limits: PACKING, threads };
  const session = await openTrainingSession({
    ...shared,
    optimizer: {
      kind: 'adamw',
      beta1: args.adam_beta1,
      beta2: args.adam_beta2,
      epsilon: args.adam_epsilon,
      weightDecay: args.weight_decay,
    },
  });
  const { parameters } = session;
  const predictor = evalRows === undefined ? undefined : openPredictor({ ...shared, parameters });
  const schedule = planSchedule(args, trainRows.ids.length);
  return { config, model, labels, schedule, runtime, session, predictor };
}

interface BegunTraining {
  readonly checkpointer: Checkpointer | undefined;
  readonly progress: TrainingProgress;
  readonly resumedFromStep: number;
}

/** Fills the state from a checkpoint, or else from the model's files. */
async function begin(input: TrainInput, prepared: PreparedTraining): Promise<BegunTraining> {
  const { session, runtime } = prepared;
  const onEvent = input.onEvent ?? ignore;
  const platform = await describePlatform(runtime);
  const checkpointer =
    input.checkpoints &&
    new Checkpointer(input.checkpoints, session.state, platform, (event) =>
      onEvent(checkpointEvent(event)),
    );
  const restored = await checkpointer?.restore();
  if (restored === undefined) {
    const created = await loadParameters(input, prepared);
    if (created.length > 0) {
      const names = created.join(', ');
      const message = `the model's files have no ${names}: created from seed ${input.args.seed}`;
      onEvent({ kind: 'note', message });
    }
    return { checkpointer, progress: startProgress(created), resumedFromStep: 0 };
  }
  const { progress } = restored;
  const changes = platformChanges(restored.platform, platform);
  if (changes.length > 0) {
    progress.exact = false;
    onEvent({ kind: 'note', message: inexactMessage(progress.step, changes) });
  }
  return { checkpointer, progress, resumedFromStep: progress.step };
}

/** Fills the parameters from the model's files. @returns those created from the seed */
async function loadParameters(
  { modelFiles, args }: TrainInput,
  { model, session }: PreparedTraining,
): Promise<readonly string[]> {
  const { state } = session;
  const tensors = new Map(state.tensors.map((tensor) => [tensor.name, tensor]));
  return loadWeights({
    files: await weightFiles(modelFiles),
    specs: model.parameters,
    basePrefix: model.basePrefix,
    head: model.head,
    seed: args.seed,
    target: ({ name }) => {
      const tensor = tensors.get(name);
      if (tensor === undefined) throw new Error(`internal: no state for ${name}`);
      return state.view('parameters', tensor);
    },
  });
}

async function writeResult(
  input: TrainInput,
  { config, model, labels, session }: PreparedTraining,
  progress: TrainingProgress,
  resumedFromStep: number,
): Promise<TrainResult> {
  const { outputDirectory: directory, padTokenId } = input;
  const { state } = session;
  const { step, history, totalLoss, best, exact, created } = progress;
  const evaluation = history.findLast((row) => 'eval_loss' in row);
  return {
    modelFiles: await writeTrainedModel({ directory, config, model, state, labels, padTokenId }),
    historyFile: await writeHistory(directory, history),
    history,
    metrics: {
      train_loss: totalLoss / step,
      ...(evaluation !== undefined &&
        'eval_loss' in evaluation && {
          eval_loss: evaluation.eval_loss,
          eval_accuracy: evaluation.eval_accuracy,
        }),
    },
    bestStep: best?.step ?? step,
    steps: step,
    resumedFromStep,
    exact,
    created,
    parameters: state.tensors.reduce((sum, { length }) => sum + length, 0),
  };
}

function checkpointEvent(event: CheckpointEvent): TrainingEvent {
  if (event.kind === 'published') return { ...event, kind: 'checkpoint' };
  const message = `the checkpoint of step ${event.step} is damaged, an older one is tried: ${event.message}`;
  return { kind: 'note', message };
}

function inexactMessage(step: number, changes: readonly string[]): string {
  return (
    `continuing from step ${step} on another platform (${changes.join('; ')}): ` +
    'the last bits of the model may differ from an uninterrupted training'
  );
}

function ignore(): void {}
