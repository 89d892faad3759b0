import {
  Checkpointer,
  type CheckpointEvent,
  type RestoredCheckpoint,
} from './checkpoints/checkpointer.ts';
import type { Checkpoints } from './checkpoints/checkpoints.ts';
import { DownloadedCheckpoints } from './checkpoints/downloaded-checkpoints.ts';
import { UnsavedCheckpoints } from './checkpoints/unsaved-checkpoints.ts';
import { START_SCALING } from './loss-scaling.ts';
import type { ModelDefinition } from './model.ts';
import { describePlatform, platformChanges, type Platform } from './platform.ts';
import { loadModelWeights } from './open-model.ts';
import { PACKING } from './packing.ts';
import type { Predictor } from './prediction.ts';
import { initializeTensor } from './random/weight-initialization.ts';
import type { MixedRows } from './replay.ts';
import type { Runtime } from './runtime/runtime.ts';
import type { Schedule } from './schedule.ts';
import type { TrainInput } from './train.ts';
import type { Trainable } from './trainable.ts';
import type { TrainingEvent } from './training-event.ts';
import { startProgress, type TrainingProgress } from './training-progress.ts';
import type { TrainingSession } from './training-session.ts';

/** A training whose input was checked and whose graphs are compiled. */
export interface PreparedTraining {
  readonly config: { readonly [key: string]: unknown };
  readonly model: ModelDefinition;
  readonly trainable: Trainable;
  /** Names of the classes; null for a language model. */
  readonly labels: readonly string[] | null;
  readonly mixed: MixedRows;
  readonly schedule: Schedule;
  readonly runtime: Runtime;
  readonly session: TrainingSession;
  readonly predictor: Predictor | undefined;
}

export interface BegunTraining {
  readonly checkpointer: Checkpoints;
  readonly progress: TrainingProgress;
  readonly resumedFromStep: number;
}

/** Fills the state from a checkpoint, or else from the model's files. */
export async function beginTraining(
  input: TrainInput,
  prepared: PreparedTraining,
): Promise<BegunTraining> {
  const { session, runtime } = prepared;
  const onEvent = input.onEvent ?? (() => undefined);
  const platform = await describePlatform(runtime, input.device);
  const { checkpointer, restored } = await openCheckpoints(input, session, platform);
  const created = await loadParameters(input, prepared, restored !== undefined);
  await session.upload();
  const progress =
    restored?.progress ?? startProgress(created, input.args.fp16 ? START_SCALING : null);
  if (restored === undefined && created.length > 0) {
    const names = created.join(', ');
    const message = `the model's files have no ${names}: created from seed ${input.args.seed}`;
    onEvent({ kind: 'note', message });
  }
  const changes = restored === undefined ? [] : platformChanges(restored.platform, platform);
  const isOnGpu = platform.provider !== 'cpu';
  if (changes.length > 0 || (restored !== undefined && isOnGpu)) {
    progress.exact = false;
    onEvent({ kind: 'note', message: inexactMessage(progress.step, changes) });
  }
  limitPasses(input, session, progress);
  return { checkpointer, progress, resumedFromStep: progress.step };
}

/** Without a store nothing is restored. */
async function openCheckpoints(
  { checkpoints, onEvent = () => undefined }: TrainInput,
  session: TrainingSession,
  platform: Platform,
): Promise<{
  readonly checkpointer: Checkpoints;
  readonly restored: RestoredCheckpoint | undefined;
}> {
  const { state } = session;
  if (checkpoints === undefined) {
    const checkpointer = new DownloadedCheckpoints(new UnsavedCheckpoints(state), session);
    return { checkpointer, restored: undefined };
  }
  const watch = (event: CheckpointEvent): void => onEvent(checkpointEvent(event));
  const checkpointer = new Checkpointer(checkpoints, state, platform, watch);
  const restored = await checkpointer.restore();
  return { checkpointer: new DownloadedCheckpoints(checkpointer, session), restored };
}

/** Keeps passes as small as memory demanded before, and records when it demands smaller ones. */
function limitPasses(
  { tokensPerPass: asked = PACKING.tokensPerPass, onEvent }: TrainInput,
  session: TrainingSession,
  progress: TrainingProgress,
): void {
  const record = (tokensPerPass: number): void => {
    progress.exact = false;
    progress.tokensPerPass = tokensPerPass;
  };
  const tokensPerPass = Math.min(asked, progress.tokensPerPass ?? PACKING.tokensPerPass);
  if (tokensPerPass < PACKING.tokensPerPass) record(tokensPerPass);
  session.limitPasses({
    tokensPerPass,
    onSmaller: (tokens) => {
      record(tokens);
      onEvent?.({ kind: 'note', message: smallerPassesMessage(progress.step + 1, tokens) });
    },
  });
}

/**
 * Fills the parameters from the model's files, and fresh adapters from the seed.
 * @param isRestored whether what is trained was filled from a checkpoint: then it stays
 * @returns the model's own that were created from the seed
 */
async function loadParameters(
  { modelFiles, args }: TrainInput,
  { model, trainable, session }: PreparedTraining,
  isRestored: boolean,
): Promise<readonly string[]> {
  const { seed } = args;
  const trained = new Set(trainable.parameters.map(({ name }) => name));
  const created = await loadModelWeights(modelFiles, model, {
    seed,
    target: ({ name }) => (isRestored && trained.has(name) ? undefined : session.weights(name)),
  });
  if (isRestored) return created;
  for (const { name, initializer: rule } of trainable.adapters.flatMap(({ a, b }) => [a, b])) {
    await initializeTensor({ ...{ seed, name, rule }, target: session.weights(name) });
  }
  return created;
}

function checkpointEvent(event: CheckpointEvent): TrainingEvent {
  if (event.kind === 'published') return { ...event, kind: 'checkpoint' };
  const message = `the checkpoint of step ${event.step} is damaged, an older one is tried: ${event.message}`;
  return { kind: 'note', message };
}

function smallerPassesMessage(step: number, tokensPerPass: number): string {
  return (
    `memory ran out at optimizer step ${step}: from here on the same batches run in passes of at ` +
    `most ${tokensPerPass} tokens, and the last bits of the model may differ`
  );
}

function inexactMessage(step: number, changes: readonly string[]): string {
  const where =
    changes.length > 0
      ? `on another platform (${changes.join('; ')})`
      : 'on a GPU, whose sums have no fixed order';
  return (
    `continuing from step ${step} ${where}: ` +
    'the last bits of the model may differ from an uninterrupted training'
  );
}
