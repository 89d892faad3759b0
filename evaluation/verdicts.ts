/** What the curves of a training can say. */
export const VERDICTS = ['good', 'overfit', 'underfit', 'unclear'] as const;

export interface Verdict {
  readonly verdict: (typeof VERDICTS)[number];
  /** Sentences with the numbers it is from, then what to do. */
  readonly reasons: readonly string[];
}

/** A row of a training history: of a training loss, or of an evaluation. */
export type CurveRow =
  | { readonly step: number; readonly epoch: number; readonly loss: number }
  | {
      readonly step: number;
      readonly epoch: number;
      readonly eval_loss: number;
      readonly eval_accuracy?: number;
    };

export interface Curves {
  readonly history: readonly CurveRow[];
  /** Accuracy of always answering the most frequent label of the evaluation; null for no classes. */
  readonly majorityAccuracy: number | null;
  /** The model is that of the best evaluation, not that of the last step. */
  readonly hasBestModel: boolean;
}

type EvaluationPoint = Extract<CurveRow, { eval_loss: number }>;
type TrainingPoint = Extract<CurveRow, { loss: number }>;

/** The evaluation's loss rose by more than this share of its best. */
const RISE = 0.1;
/** The training loss fell by more than this share of its begin, or else it hardly fell. */
const FALL = 0.02;
/** It still falls at the end: by more than this share over the last quarter. */
const STILL_FALLING = 0.03;
/** An accuracy within this of the majority's says nothing more than it. */
const ABOVE_MAJORITY = 0.02;
/** Share of the rows that a mean of the beginning or the end is from. */
const END_SHARE = 0.25;
const LEAST_TRAINING_ROWS = 4;

/**
 * Says whether a training learned too much of its rows, too little, or well, by its curves.
 *
 * - overfit: the evaluation's loss rose by over 10 % after its best, while the training loss fell on;
 * - underfit: the best accuracy is at most 2 points above the most frequent label's; or the mean of
 *   the last quarter of the training losses is not 2 % below that of the first, and no accuracy says
 *   that there was nothing left to learn;
 * - unclear: fewer than four rows of training losses, or no evaluation;
 * - good: none of these. When the loss was still falling, a reason says so.
 */
export function judgeCurves({ history, majorityAccuracy, hasBestModel }: Curves): Verdict {
  const evaluations = history.filter((row): row is EvaluationPoint => 'eval_loss' in row);
  const training = history.filter((row): row is TrainingPoint => !('eval_loss' in row));
  if (training.length < LEAST_TRAINING_ROWS) return unclear(training.length);
  const overfit = findOverfit(evaluations, training, hasBestModel);
  if (overfit !== undefined) return overfit;
  const underfit = findUnderfit(evaluations, training, majorityAccuracy);
  if (underfit !== undefined) return underfit;
  const trend = describeTrend(training);
  const last = evaluations.at(-1);
  if (last === undefined) {
    const advice =
      'without evaluations nobody knows whether it learned more than these rows: add an eval_dataset';
    return { verdict: 'unclear', reasons: [trend, advice] };
  }
  const more = isStillFalling(training, evaluations)
    ? ['both losses were still falling: more epochs may make it better']
    : [];
  return { verdict: 'good', reasons: [trend, describeBest(evaluations), ...more] };
}

function unclear(rows: number): Verdict {
  const what = rows === 1 ? '1 row' : `${rows} rows`;
  const reason = `the history has ${what} of training losses, too few for a curve: lower logging_steps, or train longer`;
  return { verdict: 'unclear', reasons: [reason] };
}

function findOverfit(
  evaluations: readonly EvaluationPoint[],
  training: readonly TrainingPoint[],
  hasBestModel: boolean,
): Verdict | undefined {
  const after = evaluations.filter(({ step }) => step > 0);
  const best = lowest(after);
  const last = after.at(-1);
  if (best === undefined || last === undefined || best === last) return undefined;
  const [before, since] = [
    training.filter(({ step }) => step <= best.step),
    training.filter(({ step }) => step > best.step),
  ];
  const isRising = last.eval_loss > best.eval_loss * (1 + RISE);
  const isFalling = since.length > 0 && meanLoss(since) < meanLoss(lastShare(before));
  if (!isRising || !isFalling) return undefined;
  const advice = hasBestModel
    ? 'the model is that of the best evaluation; early_stopping would have saved the steps after it'
    : 'train fewer epochs, or set load_best_model_at_end and early_stopping; more rows, weight_decay or dropout help too';
  return {
    verdict: 'overfit',
    reasons: [
      `the evaluation's loss rose from ${show(best.eval_loss)} at step ${best.step} to ` +
        `${show(last.eval_loss)} at step ${last.step}, while the training loss fell on, from ` +
        `${show(meanLoss(lastShare(before)))} to ${show(meanLoss(lastShare(since)))}`,
      advice,
    ],
  };
}

function findUnderfit(
  evaluations: readonly EvaluationPoint[],
  training: readonly TrainingPoint[],
  majorityAccuracy: number | null,
): Verdict | undefined {
  const accuracy = bestAccuracy(evaluations);
  const [first, last] = [meanLoss(firstShare(training)), meanLoss(lastShare(training))];
  const isKnown = accuracy !== undefined && majorityAccuracy !== null;
  const isAtMajority = isKnown && accuracy <= majorityAccuracy + ABOVE_MAJORITY;
  const hasFallen = last < first * (1 - FALL);
  if (isKnown ? !isAtMajority : hasFallen) return undefined;
  const verb = last > first ? 'rose' : 'hardly fell';
  const reasons = [
    ...(hasFallen ? [] : [`the training loss ${verb}, from ${show(first)} to ${show(last)}`]),
    ...(isAtMajority
      ? [
          `the evaluation's accuracy is ${percent(accuracy)} at best, and always answering the most ` +
            `frequent label gives ${percent(majorityAccuracy)}`,
        ]
      : []),
  ];
  const advice =
    'train more epochs or with a higher learning_rate; if the loss jumped about instead, with a lower one; or look whether texts and labels belong together';
  return { verdict: 'underfit', reasons: [...reasons, advice] };
}

function describeTrend(training: readonly TrainingPoint[]): string {
  const [first, last] = [meanLoss(firstShare(training)), meanLoss(lastShare(training))];
  const verb = last < first * (1 - FALL) ? 'fell' : 'went';
  return `the training loss ${verb} from ${show(first)} to ${show(last)}`;
}

function describeBest(evaluations: readonly EvaluationPoint[]): string {
  const best = lowest(evaluations);
  const last = evaluations.at(-1);
  const accuracy =
    last?.eval_accuracy === undefined ? '' : `, with an accuracy of ${percent(last.eval_accuracy)}`;
  return `the evaluation's loss is ${show(last?.eval_loss ?? NaN)} at the end${accuracy}; its lowest was ${show(best?.eval_loss ?? NaN)}, at step ${best?.step ?? 0}`;
}

function isStillFalling(
  training: readonly TrainingPoint[],
  evaluations: readonly EvaluationPoint[],
): boolean {
  const before = training.slice(0, -shareOf(training.length));
  const isTrainingFalling =
    meanLoss(lastShare(training)) < meanLoss(lastShare(before)) * (1 - STILL_FALLING);
  const [previous, last] = evaluations.slice(-2);
  if (previous === undefined || last === undefined) return false;
  return isTrainingFalling && last.eval_loss < previous.eval_loss * (1 - STILL_FALLING);
}

function lowest(evaluations: readonly EvaluationPoint[]): EvaluationPoint | undefined {
  return evaluations.reduce<EvaluationPoint | undefined>(
    (best, row) => (best === undefined || row.eval_loss < best.eval_loss ? row : best),
    undefined,
  );
}

function bestAccuracy(evaluations: readonly EvaluationPoint[]): number | undefined {
  const known = evaluations.flatMap(({ eval_accuracy }) => eval_accuracy ?? []);
  return known.length === 0 ? undefined : Math.max(...known);
}

function shareOf(rows: number): number {
  return Math.max(1, Math.floor(rows * END_SHARE));
}

function firstShare(rows: readonly TrainingPoint[]): readonly TrainingPoint[] {
  return rows.slice(0, shareOf(rows.length));
}

function lastShare(rows: readonly TrainingPoint[]): readonly TrainingPoint[] {
  return rows.slice(-shareOf(rows.length));
}

function meanLoss(rows: readonly TrainingPoint[]): number {
  return rows.reduce((sum, { loss }) => sum + loss, 0) / rows.length;
}

function show(value: number): string {
  return String(Number(value.toPrecision(3)));
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
