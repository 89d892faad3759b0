import type { TokenizedRows } from '../data/tokenized-dataset.ts';
import type { TrainingArguments } from './arguments.ts';
import { checkCriterion, criterionOf, decideSave, type EarlyStopping } from './best-model.ts';
import type { Checkpoints } from './checkpoints/checkpoints.ts';
import {
  hasDiverged,
  isDoubtful,
  lossLimit,
  lossScale,
  nextLevel,
  type DivergenceRule,
  type LossScale,
} from './divergence.ts';
import { blownUp, notFinite } from './diverged.ts';
import { evaluationMetrics } from './evaluation-scores.ts';
import { learningRateAt } from './learning-rate.ts';
import { evaluate } from './loop-evaluation.ts';
import { mayRescale, nextScaling } from './loss-scaling.ts';
import type { Predictor } from './prediction.ts';
import type { MixedRows } from './replay.ts';
import { RowOrder } from './row-order.ts';
import { epochAfter, stepData, type Schedule } from './schedule.ts';
import { SpeedMeter } from './speed-meter.ts';
import { stepExamples, type ExampleSource } from './step-examples.ts';
import { chooseStrategies, DueTimes, type Moment } from './strategies.ts';
import type { TrainingEvent } from './training-event.ts';
import { isEvaluation, paddingShare, type TrainingProgress } from './training-progress.ts';
import type { TrainingSession } from './training-session.ts';

export interface LoopInput {
  readonly session: TrainingSession;
  readonly schedule: Schedule;
  readonly args: TrainingArguments;
  /** The rows to train on, and for replay. */
  readonly examples: ExampleSource;
  readonly mixed: MixedRows;
  /** Where to begin; changed as training goes on. */
  readonly progress: TrainingProgress;
  readonly evaluation: { readonly rows: TokenizedRows; readonly predictor: Predictor } | undefined;
  readonly earlyStopping: EarlyStopping | undefined;
  /** Undefined: a finite loss never ends the training. */
  readonly divergence: DivergenceRule | undefined;
  /** Before the schedule's end: the training is to go on from there later. */
  readonly stopAtStep: number | undefined;
  readonly checkpointer: Checkpoints;
  readonly signal: AbortSignal | undefined;
  readonly onEvent: (event: TrainingEvent) => void;
}

/** What stays the same over a training, computed at its begin. */
interface Course extends LoopInput {
  readonly due: DueTimes;
  readonly orders: RowOrder;
  readonly meter: SpeedMeter;
  readonly scale: LossScale;
}

/**
 * Trains to the end of the schedule or of early stopping: optimizer steps, evaluations and
 * checkpoints where the strategies say so, in this order, and checkpoints by time. When the signal
 * aborts it takes a checkpoint after the current optimizer step.
 *
 * @throws the signal's reason; InvalidInput (metric_for_best_model, too many rows); Diverged; what
 *   passes, the optimizer and checkpoints throw
 */
export async function runTraining(input: LoopInput): Promise<void> {
  const { schedule, args, evaluation, checkpointer, signal } = input;
  if (evaluation !== undefined) {
    checkCriterion(criterionOf(args), evaluationMetrics(input.examples.model));
  }
  const strategies = chooseStrategies(args, evaluation !== undefined);
  const course: Course = {
    ...input,
    due: new DueTimes(schedule, strategies, args),
    orders: new RowOrder(input.mixed, args),
    meter: new SpeedMeter(schedule.totalSteps),
    scale: lossScale(input.examples.model, input.mixed.rows),
  };
  for (;;) {
    if (isEvaluationDue(course) && !(await evaluate(course))) await stop(course);
    await save(course);
    if (isAtEnd(course) || isAtStop(course)) break;
    if (signal?.aborted === true) await stop(course);
    await optimizerStep(course);
  }
  if (course.stopAtStep !== undefined) await pause(course);
  await checkpointer.finish();
  if (args.load_best_model_at_end) await loadBest(course);
}

function isAtEnd({ progress, schedule }: Course): boolean {
  return progress.isStopped || progress.step >= schedule.totalSteps;
}

function isAtStop({ progress, stopAtStep = Infinity }: Course): boolean {
  return progress.step >= stopAtStep;
}

/**
 * Leaves a checkpoint to go on from. What is evaluated here beyond the schedule is told, and no part
 * of it: a training that never stopped here comes to the same end.
 */
async function pause(course: Course): Promise<void> {
  const { checkpointer, progress, evaluation, args } = course;
  if (!isInDoubt(course)) await checkpointer.begin(progress);
  await checkpointer.finish();
  const isEvaluated = progress.history.some(
    (row) => row.step === progress.step && isEvaluation(row),
  );
  if (evaluation === undefined || args.eval_strategy === 'no' || isEvaluated) return;
  if (!(await evaluate(course, { isTold: true }))) await stop(course);
}

function momentOf({ progress: { step, isStopped } }: Course): Moment {
  return { step, isStopped };
}

/** Takes a last checkpoint and ends with the signal's reason. */
async function stop(course: Course): Promise<never> {
  const { checkpointer, progress, signal } = course;
  if (progress.step > 0 && !isInDoubt(course)) await checkpointer.begin(progress);
  await checkpointer.finish();
  throw signal?.reason;
}

/** Takes a checkpoint if one is due; the end needs none, as the model is written next. */
async function save(course: Course): Promise<void> {
  const { due, progress, checkpointer, args } = course;
  const decision = decideSave(progress, due);
  if (isAtEnd(course)) return;
  const isBest = decision.isBest && args.load_best_model_at_end;
  const isWanted = decision.isDue || checkpointer.isDue(progress.step);
  if (isBest || (isWanted && !isInDoubt(course))) await checkpointer.begin(progress, { isBest });
}

/** The model becomes that of the best evaluation that a checkpoint took; else it stays the last. */
async function loadBest({ progress, checkpointer, onEvent }: Course): Promise<void> {
  const { best, savedBestStep, step } = progress;
  if (savedBestStep !== null && savedBestStep !== step) await checkpointer.restoreBest();
  const modelStep = savedBestStep ?? step;
  if (best === null || best.step === modelStep) return;
  const message =
    `the best evaluation was at step ${best.step}, where save_strategy took no checkpoint: the ` +
    `model is that of step ${modelStep}`;
  onEvent({ kind: 'note', message });
}

/** Whether the loss may be blowing up: the last good checkpoint is kept then. */
function isInDoubt({ progress, divergence }: Course): boolean {
  return divergence !== undefined && isDoubtful(progress.lossLevel, divergence);
}

async function optimizerStep(course: Course): Promise<void> {
  const { session, schedule, args, progress, orders, meter } = course;
  const { epoch, start, end } = stepData(schedule, progress.step);
  const rows = orders.of(epoch).subarray(start, end);
  const examples = stepExamples(course.examples, microBatches(rows, schedule.batchSize), epoch);
  session.lossScale.value = progress.lossScaling?.scale ?? 1;
  const { loss: foundLoss, computedTokens } = await session.computeGradients(examples);
  const foundNorm = await session.optimizer.gradientNorm();
  const isSkipped = rescale(course, foundNorm);
  if (!isSkipped) guard(course, rows, foundLoss, foundNorm);
  // Of a step that is skipped nothing that is no number is kept (as logging_nan_inf_filter).
  const loss = Number.isFinite(foundLoss) ? foundLoss : progress.totalLoss / (progress.step || 1);
  const gradNorm = isSkipped ? 0 : foundNorm;
  const learningRate = learningRateAt(schedule, progress.step, args);
  const gradientScale = args.max_grad_norm > 0 ? clipScale(args.max_grad_norm, gradNorm) : 1;
  await course.checkpointer.copied();
  progress.step += 1;
  if (!isSkipped) {
    const step = progress.step - (progress.lossScaling?.skippedSteps ?? 0);
    await session.optimizer.update({ step, learningRate, gradientScale });
  }
  progress.totalLoss += loss;
  progress.unloggedLoss += loss;
  progress.unloggedSteps += 1;
  const tokens = examples.reduce((sum, { inputIds }) => sum + inputIds.length, 0);
  for (const counts of [progress.totalTokens, progress.unloggedTokens]) {
    counts.real += tokens;
    counts.computed += computedTokens;
  }
  meter.count(tokens);
  report(course, { loss, learningRate, gradNorm, tokens, computedTokens });
}

/** In float16: looks whether gradients overflowed. @returns whether the step is to be skipped */
function rescale({ progress, onEvent }: Course, gradNorm: number): boolean {
  const scaling = progress.lossScaling;
  if (scaling === null) return false;
  const hasOverflowed = !Number.isFinite(gradNorm);
  if (hasOverflowed && !mayRescale(scaling)) return false;
  const next = nextScaling(scaling, hasOverflowed);
  progress.lossScaling = next;
  if (!hasOverflowed) return false;
  const message = `step ${progress.step + 1} changed nothing: gradients overflowed in float16; the loss is scaled by ${next.scale} from now on`;
  onEvent({ kind: 'note', message });
  return true;
}

/** Ends a training whose loss is no number or has blown up, before the weights change. */
function guard(course: Course, rows: Uint32Array, loss: number, gradNorm: number): void {
  const { progress, args, examples, divergence, scale } = course;
  const step = progress.step + 1;
  const place = { step, rows, trainRows: examples.rows, learningRate: args.learning_rate };
  if (!Number.isFinite(loss) || !Number.isFinite(gradNorm)) throw notFinite(place, loss, gradNorm);
  if (divergence === undefined) return;
  const limit = lossLimit(progress.lossLevel, divergence, scale);
  progress.lossLevel = nextLevel(progress.lossLevel, { step, loss, limit }, divergence);
  if (!hasDiverged(progress.lossLevel, divergence)) return;
  throw blownUp(place, { loss, limit, steps: divergence.patience });
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

/** Tells of a step, and adds a row to the history when one is due. */
function report(course: Course, numbers: StepNumbers): void {
  const { schedule, progress, onEvent, due, meter } = course;
  const { step } = progress;
  const { totalSteps } = schedule;
  const epoch = epochAfter(schedule, step);
  const { tokensPerSecond, etaSeconds } = meter.read(step);
  onEvent({ kind: 'step', step, totalSteps, epoch, ...numbers, tokensPerSecond, etaSeconds });
  if (!due.isLogDue(momentOf(course))) return;
  const { include_num_input_tokens_seen: seen } = course.args;
  const { real, computed } = progress.totalTokens;
  progress.history.push({
    step,
    epoch,
    loss: progress.unloggedLoss / progress.unloggedSteps,
    learning_rate: numbers.learningRate,
    grad_norm: numbers.gradNorm,
    tokens_per_second: meter.lap(),
    padding: paddingShare(progress.unloggedTokens),
    ...((seen === true || seen === 'all') && { num_input_tokens_seen: computed }),
    ...(seen === 'non_padding' && { num_input_tokens_seen: real }),
  });
  progress.unloggedLoss = 0;
  progress.unloggedSteps = 0;
  progress.unloggedTokens = { real: 0, computed: 0 };
}

function isEvaluationDue(course: Course): boolean {
  const { evaluation, due, progress } = course;
  if (evaluation === undefined || !due.isEvaluationDue(momentOf(course))) return false;
  return !progress.history.some((row) => row.step === progress.step && isEvaluation(row));
}
