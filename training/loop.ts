import type { TokenizedRows } from '../data/tokenized-dataset.ts';
import { Failure } from '../plan/failures.ts';
import type { TrainingArguments } from './arguments.ts';
import type { Checkpointer } from './checkpoints/checkpointer.ts';
import { evaluateRows } from './evaluation-scores.ts';
import type { Predictor } from './prediction.ts';
import { dataOrder } from './random/data-order.ts';
import { learningRateAt } from './learning-rate.ts';
import { epochAfter, isEpochEnd, stepData, type Schedule } from './schedule.ts';
import { stepExamples, type ExampleSource } from './step-examples.ts';
import type { TrainingProgress } from './training-progress.ts';
import type { TrainingSession } from './training-session.ts';

/** What happens during a training, for whoever watches. */
export type TrainingEvent =
  | {
      readonly kind: 'started';
      /** 0 when no checkpoint was found. */
      readonly resumedFromStep: number;
      readonly totalSteps: number;
    }
  /** How much is trained, and the memory of that: `304 of 8,384 parameters (3.6 %); ...`. */
  | { readonly kind: 'trainable'; readonly message: string; readonly isPart: boolean }
  | {
      readonly kind: 'step';
      readonly step: number;
      readonly totalSteps: number;
      readonly epoch: number;
      readonly loss: number;
      readonly learningRate: number;
      readonly gradNorm: number;
      readonly tokens: number;
      /** Tokens that were computed, padding included. */
      readonly computedTokens: number;
      readonly tokensPerSecond: number;
      readonly etaSeconds: number;
    }
  | {
      readonly kind: 'evaluation';
      readonly step: number;
      readonly loss: number;
      /** By name: accuracy, perplexity, ... */
      readonly scores: { readonly [name: string]: number };
    }
  | { readonly kind: 'checkpoint'; readonly step: number; readonly seconds: number }
  /** A sentence that a person should see. */
  | { readonly kind: 'note'; readonly message: string };

export interface LoopInput {
  readonly session: TrainingSession;
  readonly schedule: Schedule;
  readonly args: TrainingArguments;
  /** The rows to train on. */
  readonly examples: ExampleSource;
  /** Where to begin; changed as training goes on. */
  readonly progress: TrainingProgress;
  readonly evaluation: { readonly rows: TokenizedRows; readonly predictor: Predictor } | undefined;
  readonly checkpointer: Checkpointer | undefined;
  readonly signal: AbortSignal | undefined;
  readonly onEvent: (event: TrainingEvent) => void;
}

/**
 * Trains to the end of the schedule: optimizer steps, evaluations at the end of each epoch,
 * checkpoints. When the signal aborts it takes a checkpoint after the current optimizer step.
 *
 * @throws the signal's reason; Diverged; what passes, the optimizer and checkpoints throw
 */
export async function runTraining(input: LoopInput): Promise<void> {
  const { schedule, progress, checkpointer, signal } = input;
  const meter = new Meter(schedule.totalSteps);
  const orders = new DataOrders(input);
  for (;;) {
    if (isEvaluationDue(input) && !(await evaluate(input))) await stop(input);
    if (progress.step >= schedule.totalSteps) break;
    if (signal?.aborted === true) await stop(input);
    const isEnd = isEpochEnd(schedule, progress.step);
    if (isEnd || checkpointer?.isDue(progress.step) === true) await checkpointer?.begin(progress);
    await optimizerStep(input, orders, meter);
  }
  await checkpointer?.finish();
}

/** Takes a last checkpoint and ends with the signal's reason. */
async function stop({ checkpointer, progress, signal }: LoopInput): Promise<never> {
  if (progress.step > 0) await checkpointer?.begin(progress);
  await checkpointer?.finish();
  throw signal?.reason;
}

async function optimizerStep(input: LoopInput, orders: DataOrders, meter: Meter): Promise<void> {
  const { session, schedule, args, progress } = input;
  const { epoch, start, end } = stepData(schedule, progress.step);
  const rows = orders.of(epoch).subarray(start, end);
  const examples = stepExamples(input.examples, microBatches(rows, schedule.batchSize), epoch);
  const { loss, computedTokens } = await session.computeGradients(examples);
  const gradNorm = await session.optimizer.gradientNorm();
  if (!Number.isFinite(loss) || !Number.isFinite(gradNorm)) {
    throw diverged(input, rows, loss, gradNorm);
  }
  const learningRate = learningRateAt(schedule, progress.step, args);
  const gradientScale = args.max_grad_norm > 0 ? clipScale(args.max_grad_norm, gradNorm) : 1;
  await input.checkpointer?.copied();
  progress.step += 1;
  await session.optimizer.update({ step: progress.step, learningRate, gradientScale });
  progress.totalLoss += loss;
  progress.unloggedLoss += loss;
  progress.unloggedSteps += 1;
  const tokens = examples.reduce((sum, { inputIds }) => sum + inputIds.length, 0);
  meter.count(tokens);
  report(input, meter, { loss, learningRate, gradNorm, tokens, computedTokens });
}

/** Source: torch.nn.utils.clip_grad_norm_. */
function clipScale(maxNorm: number, norm: number): number {
  return Math.min(1, maxNorm / (norm + 1e-6));
}

function microBatches(rows: Uint32Array, size: number): readonly Uint32Array[] {
  return Array.from({ length: Math.ceil(rows.length / size) }, (_, i) =>
    rows.subarray(i * size, (i + 1) * size),
  );
}

interface StepNumbers {
  readonly loss: number;
  readonly learningRate: number;
  readonly gradNorm: number;
  readonly tokens: number;
  readonly computedTokens: number;
}

/** Tells of a step, and adds a row to the history when one is due: every logging_steps, and last. */
function report(input: LoopInput, meter: Meter, numbers: StepNumbers): void {
  const { schedule, args, progress, onEvent } = input;
  const { step } = progress;
  const { totalSteps } = schedule;
  const epoch = epochAfter(schedule, step);
  const { tokensPerSecond, etaSeconds } = meter.read(step);
  onEvent({ kind: 'step', step, totalSteps, epoch, ...numbers, tokensPerSecond, etaSeconds });
  if (step % args.logging_steps !== 0 && step !== totalSteps) return;
  progress.history.push({
    step,
    epoch,
    loss: progress.unloggedLoss / progress.unloggedSteps,
    learning_rate: numbers.learningRate,
    grad_norm: numbers.gradNorm,
    tokens_per_second: meter.lap(),
  });
  progress.unloggedLoss = 0;
  progress.unloggedSteps = 0;
}

function isEvaluationDue({ evaluation, schedule, progress }: LoopInput): boolean {
  if (evaluation === undefined || !isEpochEnd(schedule, progress.step)) return false;
  return !progress.history.some((row) => row.step === progress.step && 'eval_loss' in row);
}

class EvaluationStopped extends Error {}

/** Adds an evaluation to the history. @returns false when the signal aborted before its end */
async function evaluate(input: LoopInput): Promise<boolean> {
  const { evaluation, progress, schedule, signal, onEvent } = input;
  if (evaluation === undefined) return true;
  try {
    const { rows, predictor } = evaluation;
    const { loss, scores } = await evaluateRows(input.examples.model, predictor, rows, () => {
      if (signal?.aborted === true) throw new EvaluationStopped();
    });
    const { step } = progress;
    if (!Number.isFinite(loss)) throw divergedEvaluation(step, loss);
    const epoch = epochAfter(schedule, step);
    const named = Object.entries(scores).map(([name, score]) => [`eval_${name}`, score]);
    progress.history.push({ step, epoch, eval_loss: loss, ...Object.fromEntries(named) });
    if (progress.best === null || loss < progress.best.eval_loss) {
      progress.best = { step, eval_loss: loss };
    }
    onEvent({ kind: 'evaluation', step, loss, scores });
    return true;
  } catch (error) {
    if (error instanceof EvaluationStopped) return false;
    throw error;
  }
}

const REMEDY = 'lower learning_rate, add warmup_steps, or look for broken text in those rows';
/** No update has been made: no argument of the training can be the reason. */
const REMEDY_AT_START =
  "look for values that are no numbers in the model's weights, or for broken text in those rows";

function diverged(
  { progress, examples, args }: LoopInput,
  rows: Uint32Array,
  loss: number,
  gradNorm: number,
): Failure {
  const what = Number.isFinite(loss) ? `gradient norm is ${gradNorm}` : `loss is ${loss}`;
  const ids = Array.from(rows.subarray(0, 16), (row) => examples.rows.ids[row]).join(', ');
  const more = rows.length > 16 ? ` and ${rows.length - 16} more` : '';
  return new Failure(
    'Diverged',
    `the ${what} at optimizer step ${progress.step + 1}, on the rows ${ids}${more}, with ` +
      `learning_rate ${args.learning_rate}; ${progress.step === 0 ? REMEDY_AT_START : REMEDY}`,
  );
}

function divergedEvaluation(step: number, loss: number): Failure {
  return new Failure(
    'Diverged',
    `the evaluation's loss is ${loss} after optimizer step ${step}; lower learning_rate or add warmup_steps`,
  );
}

/** The order of the rows in the epoch at hand, computed once an epoch. */
class DataOrders {
  readonly #rows: number;
  readonly #seed: number;
  #epoch = -1;
  #order: Uint32Array = new Uint32Array();

  constructor({ examples, args }: LoopInput) {
    this.#rows = examples.rows.ids.length;
    this.#seed = args.data_seed ?? args.seed;
  }

  of(epoch: number): Uint32Array {
    if (epoch !== this.#epoch) {
      this.#order = dataOrder({ rows: this.#rows, seed: this.#seed, epoch });
      this.#epoch = epoch;
    }
    return this.#order;
  }
}

/** Speed of this process: it restarts from zero after a resume. */
class Meter {
  readonly #totalSteps: number;
  readonly #begun = performance.now();
  #steps = 0;
  #tokens = 0;
  #lapBegun = performance.now();
  #lapTokens = 0;

  constructor(totalSteps: number) {
    this.#totalSteps = totalSteps;
  }

  count(tokens: number): void {
    this.#steps += 1;
    this.#tokens += tokens;
    this.#lapTokens += tokens;
  }

  read(step: number): { readonly tokensPerSecond: number; readonly etaSeconds: number } {
    const seconds = (performance.now() - this.#begun) / 1000;
    return {
      tokensPerSecond: this.#tokens / seconds,
      etaSeconds: ((this.#totalSteps - step) * seconds) / this.#steps,
    };
  }

  /** Tokens a second since the last lap, to one decimal; begins the next. */
  lap(): number {
    const now = performance.now();
    const speed = (1000 * this.#lapTokens) / (now - this.#lapBegun);
    this.#lapBegun = now;
    this.#lapTokens = 0;
    return Math.round(10 * speed) / 10;
  }
}
