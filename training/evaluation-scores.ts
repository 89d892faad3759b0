import type { TokenizedRows } from '../data/tokenized-dataset.ts';
import { SCORE_NAMES, scoreAnswers, type Scores } from '../evaluation/scores.ts';
import type { ModelDefinition } from './model.ts';
import type { Predictor } from './prediction.ts';

/**
 * A model's loss and scores on rows: those of scoreAnswers for a classifier, `perplexity` for a
 * language model.
 * @param onPass called before each pass; it may throw to stop
 */
export async function evaluateRows(
  model: ModelDefinition,
  predictor: Predictor,
  rows: TokenizedRows,
  onPass?: () => void,
): Promise<Scores> {
  if (model.task === 'causal-lm') {
    const { loss } = await predictor.tokenLoss(rows, onPass);
    return { loss, scores: { perplexity: Math.exp(loss) } };
  }
  return scoreAnswers(model.problemType, await predictor.predict(rows, onPass), rows);
}

/** Names in the history of what evaluateRows gives: `eval_loss` and the scores. */
export function evaluationMetrics({ task, problemType }: ModelDefinition): readonly string[] {
  const scores = task === 'causal-lm' ? ['perplexity'] : SCORE_NAMES[problemType];
  return ['loss', ...scores].map((name) => `eval_${name}`);
}
