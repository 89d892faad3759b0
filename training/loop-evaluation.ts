import { criterionOf, judge } from './best-model.ts';
import { evaluationNotFinite } from './diverged.ts';
import { evaluateRows } from './evaluation-scores.ts';
import type { LoopInput } from './loop.ts';
import { epochAfter } from './schedule.ts';

class EvaluationStopped extends Error {}

/**
 * Adds an evaluation to the history.
 *
 * @param options.isTold it decides nothing
 * @returns false when the signal aborted before its end
 */
export async function evaluate(input: LoopInput, { isTold = false } = {}): Promise<boolean> {
  const { evaluation, progress, signal } = input;
  if (evaluation === undefined) return true;
  try {
    const { rows, predictor } = evaluation;
    const { loss, scores } = await evaluateRows(input.examples.model, predictor, rows, () => {
      if (signal?.aborted === true) throw new EvaluationStopped();
    });
    if (!Number.isFinite(loss)) throw evaluationNotFinite(progress.step, loss);
    noteEvaluation(input, loss, scores, isTold);
    return true;
  } catch (error) {
    if (error instanceof EvaluationStopped) return false;
    throw error;
  }
}

/** Puts an evaluation into the history, and decides by it; one before the first step decides nothing. */
function noteEvaluation(
  { progress, schedule, args, earlyStopping, onEvent }: LoopInput,
  loss: number,
  scores: { readonly [name: string]: number },
  isTold: boolean,
): void {
  const { step } = progress;
  const named = Object.entries(scores).map(([name, score]) => [`eval_${name}`, score] as const);
  const row = {
    step,
    epoch: epochAfter(schedule, step),
    eval_loss: loss,
    ...Object.fromEntries(named),
  };
  progress.history.push(row);
  const criterion = criterionOf(args);
  const value = Object.entries(row).find(([name]) => name === criterion.metric)?.[1];
  if (step > 0 && !isTold && value !== undefined) judge(progress, value, criterion, earlyStopping);
  onEvent({ kind: 'evaluation', step, loss, scores });
}
