/** What a classifier answered over N examples with C classes. */
export interface ClassificationOutcome {
  /** Class names; position = class index. */
  readonly labels: readonly string[];
  /** True class of each example, [N], each 0 .. C-1. */
  readonly expected: ArrayLike<number>;
  /** Predicted class of each example, [N]. */
  readonly predicted: ArrayLike<number>;
}

export interface ClassScores {
  readonly label: string;
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
  /** Examples of this class. */
  readonly support: number;
}

export interface ClassificationScores {
  /** Number of examples N. */
  readonly examples: number;
  readonly accuracy: number;
  /** Unweighted mean of the classes' F1. */
  readonly f1_macro: number;
  /** Mean of the classes' F1, weighted by support. */
  readonly f1_weighted: number;
  /** Accuracy of always answering the most frequent class of these examples. */
  readonly majority_baseline: number;
  /** The most frequent class; the first of them in label order. */
  readonly majority_label: string;
  /** confusion[i][j]: examples of class i that were answered as class j. [C][C] */
  readonly confusion: readonly (readonly number[])[];
  readonly classes: readonly ClassScores[];
}

/**
 * Accuracy, F1 and the confusion matrix, as scikit-learn defines them with `zero_division=0`: a
 * class that neither occurs nor is predicted counts in the macro mean with 0 only if it is one of
 * `labels`.
 *
 * @throws Error `internal:` when the lengths differ or a class index is out of range
 */
export function scoreClassification(outcome: ClassificationOutcome): ClassificationScores {
  const confusion = confusionMatrix(outcome);
  const examples = outcome.expected.length;
  const support = confusion.map(sum);
  const classes = outcome.labels.map((label, c) => classScores(label, c, confusion));
  const majority = support.indexOf(Math.max(...support));
  return {
    examples,
    accuracy: ratio(sum(confusion.map((row, c) => row[c] ?? 0)), examples),
    f1_macro: ratio(sum(classes.map(({ f1 }) => f1)), classes.length),
    f1_weighted: ratio(sum(classes.map(({ f1, support: n }) => f1 * n)), examples),
    majority_baseline: ratio(support[majority] ?? 0, examples),
    majority_label: outcome.labels[majority] ?? '',
    confusion,
    classes,
  };
}

function confusionMatrix({ labels, expected, predicted }: ClassificationOutcome): number[][] {
  if (expected.length !== predicted.length) {
    throw new Error(
      `internal: ${expected.length} expected classes, ${predicted.length} predicted ones`,
    );
  }
  const matrix = labels.map(() => labels.map(() => 0));
  for (let i = 0; i < expected.length; i += 1) {
    const row = matrix[expected[i] ?? -1];
    const column = predicted[i] ?? -1;
    const count = row?.[column];
    if (row === undefined || count === undefined) {
      throw new Error(`internal: example ${i}: class out of range for ${labels.length} labels`);
    }
    row[column] = count + 1;
  }
  return matrix;
}

function classScores(label: string, c: number, confusion: readonly number[][]): ClassScores {
  const hits = confusion[c]?.[c] ?? 0;
  const support = sum(confusion[c] ?? []);
  const answered = sum(confusion.map((row) => row[c] ?? 0));
  const precision = ratio(hits, answered);
  const recall = ratio(hits, support);
  return { label, precision, recall, f1: ratio(2 * hits, support + answered), support };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}
