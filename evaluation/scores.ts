import { meanCrossEntropy, predictedClasses, type Logits } from './logits.ts';

/** What is known of the right answers: a class a row, or C values a row. */
export interface ExpectedAnswers {
  readonly labels: Int32Array | null;
  readonly values: Float32Array | null;
}

/** A model's loss on rows, and its other scores by name. */
export interface Scores {
  readonly loss: number;
  readonly scores: { readonly [name: string]: number };
}

/** Scores that scoreAnswers gives beside the loss. */
export const SCORE_NAMES = {
  single_label_classification: ['accuracy'],
  multi_label_classification: ['accuracy', 'f1_micro'],
  regression: ['mse', 'mae'],
} as const;

type ScoredProblem = keyof typeof SCORE_NAMES;

/**
 * Loss and scores of a head's answers:
 * - one class a row: `accuracy`;
 * - several classes a row: `accuracy` of whole rows, and `f1_micro`, a class counting as given where
 *   its logit is above 0;
 * - numbers: `mse` and `mae`.
 */
export function scoreAnswers(
  problemType: ScoredProblem,
  answer: Logits,
  expected: ExpectedAnswers,
): Scores {
  switch (problemType) {
    case 'single_label_classification': {
      const labels = given(expected.labels);
      const predicted = predictedClasses(answer);
      const hits = predicted.filter((label, row) => label === labels[row]).length;
      return {
        loss: meanCrossEntropy(answer, labels),
        scores: { accuracy: hits / labels.length },
      };
    }
    case 'multi_label_classification':
      return scoreMultiLabel(answer, given(expected.values));
    case 'regression':
      return scoreRegression(answer, given(expected.values));
  }
}

/** Mean over rows and classes of −y·log σ(x) − (1 − y)·log(1 − σ(x)) = log(1 + eˣ) − y·x. */
function scoreMultiLabel({ logits, classes }: Logits, values: Float32Array): Scores {
  let total = 0;
  let [truePositives, wrong, exactRows] = [0, 0, 0];
  for (let start = 0; start < logits.length; start += classes) {
    let isExact = true;
    for (let i = start; i < start + classes; i++) {
      const [x, y] = [logits[i] ?? NaN, values[i] ?? NaN];
      total += Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))) - x * y;
      const isGiven = x > 0;
      if (isGiven && y === 1) truePositives += 1;
      if (isGiven === (y === 1)) continue;
      wrong += 1;
      isExact = false;
    }
    if (isExact) exactRows += 1;
  }
  const rows = logits.length / classes;
  const both = 2 * truePositives + wrong;
  return {
    loss: total / logits.length,
    scores: { accuracy: exactRows / rows, f1_micro: both === 0 ? 0 : (2 * truePositives) / both },
  };
}

function scoreRegression({ logits }: Logits, values: Float32Array): Scores {
  let [squares, distances] = [0, 0];
  for (const [i, x] of logits.entries()) {
    const distance = Math.abs(x - (values[i] ?? NaN));
    squares += distance * distance;
    distances += distance;
  }
  const mse = squares / logits.length;
  return { loss: mse, scores: { mse, mae: distances / logits.length } };
}

function given<T>(answers: T | null): T {
  if (answers === null) throw new Error('internal: rows without answers are not scored');
  return answers;
}
