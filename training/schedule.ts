import { Failure } from '../plan/failures.ts';
import type { TrainingArguments } from './arguments.ts';

/**
 * The course of a training over its optimizer steps.
 * Source of every rule: Hugging Face transformers 5.x, Trainer.set_initial_training_values.
 */
export interface Schedule {
  /** Examples of one optimizer step, but for an epoch's last. */
  readonly effectiveBatch: number;
  readonly stepsPerEpoch: number;
  /** Where training stops. */
  readonly totalSteps: number;
  readonly warmupSteps: number;
  /** Rows of an epoch that are trained on. */
  readonly rows: number;
  readonly batchSize: number;
  readonly accumulation: number;
}

/**
 * @param given rows of an epoch, at least 1
 * @throws InvalidInput when dataloader_drop_last leaves none
 */
export function planSchedule(args: TrainingArguments, given: number): Schedule {
  const batchSize = args.per_device_train_batch_size;
  const accumulation = args.gradient_accumulation_steps;
  const rows = args.dataloader_drop_last ? given - (given % batchSize) : given;
  if (rows === 0) {
    throw new Failure(
      'InvalidInput',
      `dataloader_drop_last leaves no batch of ${batchSize}: train_dataset has ${given} rows; ` +
        'lower per_device_train_batch_size, or remove it',
    );
  }
  const stepsPerEpoch = Math.ceil(Math.ceil(rows / batchSize) / accumulation);
  const totalSteps =
    args.max_steps > 0 ? args.max_steps : Math.ceil(args.num_train_epochs * stepsPerEpoch);
  const warmup = args.warmup_steps;
  return {
    effectiveBatch: batchSize * accumulation,
    stepsPerEpoch,
    totalSteps,
    warmupSteps: warmup >= 1 ? warmup : Math.ceil(totalSteps * warmup),
    rows,
    batchSize,
    accumulation,
  };
}

/** Where an optimizer step lies in the data: its rows are [start, end) of the epoch's order. */
export interface StepData {
  /** From 0. */
  readonly epoch: number;
  readonly start: number;
  readonly end: number;
}

/** Data of the optimizer step that comes after `step` others. An epoch's last may be shorter. */
export function stepData(schedule: Schedule, step: number): StepData {
  const { effectiveBatch, rows, stepsPerEpoch } = schedule;
  const start = (step % stepsPerEpoch) * effectiveBatch;
  return {
    epoch: Math.floor(step / stepsPerEpoch),
    start,
    end: Math.min(start + effectiveBatch, rows),
  };
}

/** Epochs done after `steps` optimizer steps, as Hugging Face logs them: in batches. */
export function epochAfter(schedule: Schedule, steps: number): number {
  const { stepsPerEpoch, accumulation, rows, batchSize } = schedule;
  const batches = Math.ceil(rows / batchSize);
  const done = Math.min((steps % stepsPerEpoch) * accumulation, batches);
  return Math.floor(steps / stepsPerEpoch) + done / batches;
}

/** Whether an epoch, or the training, ends after `steps` optimizer steps. */
export function isEpochEnd(schedule: Schedule, steps: number): boolean {
  return steps > 0 && (steps % schedule.stepsPerEpoch === 0 || steps === schedule.totalSteps);
}
