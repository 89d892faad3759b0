import type { TokenizedRows } from '../data/tokenized-dataset.ts';
import { scoreClassification } from '../evaluation/classification.ts';
import { meanCrossEntropy, predictedClasses, type Logits } from '../evaluation/logits.ts';
import { scoreAnswers, type ExpectedAnswers } from '../evaluation/scores.ts';
import { Failure } from '../plan/failures.ts';
import type { JsonObject } from '../plan/json.ts';
import type { ModelAnswers } from '../training/evaluate.ts';
import type { ModelDefinition } from '../training/model.ts';

/** What rows say and what a model says of its classes. */
export interface AnsweredRows {
  readonly rows: TokenizedRows;
  /** Names of the dataset's classes; null without. */
  readonly datasetLabels: readonly string[] | null;
  /** Names of the model's classes, in the order of their ids. */
  readonly labels: readonly string[];
}

/** Scores of a model's answers. */
export interface ScoredAnswers {
  /** By the names of evaluate@1's metrics. */
  readonly scores: { readonly [metric: string]: number };
  /** Numbers that stand beside the wanted ones. */
  readonly facts: { readonly [name: string]: number };
  /** What else the report tells. */
  readonly details: object;
  /** One a row. */
  readonly predictions: readonly JsonObject[];
}

/** What a model is asked for. */
type Question = Pick<ModelDefinition, 'task' | 'problemType' | 'classes'>;

/**
 * The right answers of the rows, in terms of the model.
 * @throws InvalidInput when the rows have none of the kind that the model gives
 */
export function expectedAnswers(model: Question, input: AnsweredRows): ExpectedAnswers {
  const { rows, datasetLabels, labels } = input;
  if (model.task === 'causal-lm') return { labels: null, values: null };
  switch (model.problemType) {
    case 'single_label_classification':
      return { labels: expectedClasses(rows, datasetLabels, labels), values: null };
    case 'multi_label_classification':
      return { labels: null, values: expectedMultiLabels(rows, datasetLabels, labels) };
    case 'regression':
      if (rows.values !== null && rows.valuesPerRow === model.classes) {
        return { labels: null, values: rows.values };
      }
      throw noAnswers('numbers to compare with', 'number');
  }
}

/** Scores of answers against the right ones of the same model. */
export function scoredAnswers(
  answers: ModelAnswers,
  expected: ExpectedAnswers,
  { ids }: TokenizedRows,
  labels: readonly string[],
): ScoredAnswers {
  if (answers.task === 'causal-lm') {
    const { loss, tokens } = answers.tokenLoss;
    const scores = { loss, perplexity: Math.exp(loss) };
    return { scores, facts: { tokens }, details: {}, predictions: [] };
  }
  const { problemType, logits } = answers;
  if (problemType === 'single_label_classification') {
    return oneClass(logits, expected, ids, labels);
  }
  const { loss, scores } = scoreAnswers(problemType, logits, expected);
  return {
    scores: { ...scores, loss },
    facts: { examples: ids.length },
    details: {},
    predictions:
      problemType === 'regression'
        ? numberPredictions(logits, expected, ids)
        : classesPredictions(logits, expected, ids, labels),
  };
}

function oneClass(
  answer: Logits,
  { labels: expected }: ExpectedAnswers,
  ids: readonly string[],
  labels: readonly string[],
): ScoredAnswers {
  if (expected === null) throw new Error('internal: classes are scored without labels');
  const predicted = predictedClasses(answer);
  const { accuracy, f1_macro, f1_weighted, majority_baseline, examples, ...details } =
    scoreClassification({ labels, expected, predicted });
  const loss = meanCrossEntropy(answer, expected);
  return {
    scores: { accuracy, f1_macro, f1_weighted, loss },
    facts: { majority_baseline, examples },
    details,
    predictions: ids.map((id, row) => ({
      id,
      expected: labels[expected[row] ?? 0] ?? '',
      predicted: labels[predicted[row] ?? 0] ?? '',
      logits: logitsOf(answer, row),
    })),
  };
}

function classesPredictions(
  answer: Logits,
  { values }: ExpectedAnswers,
  ids: readonly string[],
  labels: readonly string[],
): readonly JsonObject[] {
  const C = labels.length;
  const named = (isGiven: (label: number) => boolean): string[] =>
    labels.filter((_, label) => isGiven(label));
  return ids.map((id, row) => ({
    id,
    expected: named((label) => values?.[row * C + label] === 1),
    predicted: named((label) => (answer.logits[row * C + label] ?? 0) > 0),
    logits: logitsOf(answer, row),
  }));
}

function numberPredictions(
  answer: Logits,
  { values }: ExpectedAnswers,
  ids: readonly string[],
): readonly JsonObject[] {
  const C = answer.classes;
  return ids.map((id, row) => ({
    id,
    expected: [...(values?.subarray(row * C, (row + 1) * C) ?? [])],
    predicted: logitsOf(answer, row),
  }));
}

function logitsOf({ logits, classes }: Logits, row: number): number[] {
  return [...logits.subarray(row * classes, (row + 1) * classes)];
}

/** The rows' labels as classes of the model: by name where the names differ in order or number. */
function expectedClasses(
  rows: TokenizedRows,
  datasetLabels: readonly string[] | null,
  labels: readonly string[],
): Int32Array {
  if (rows.labels === null || datasetLabels === null) {
    throw new Failure(
      'InvalidInput',
      "dataset has no labels to compare with: name the label column in download-dataset's `label`",
    );
  }
  const classes = datasetLabels.map((name) => labels.indexOf(name));
  return rows.labels.map((label, row) => {
    const found = classes[label] ?? -1;
    if (found >= 0) return found;
    throw unknownLabel(rows, row, datasetLabels[label] ?? String(label), labels);
  });
}

/** [N, the model's classes]: 1 for each class that a row has. */
function expectedMultiLabels(
  rows: TokenizedRows,
  datasetLabels: readonly string[] | null,
  labels: readonly string[],
): Float32Array {
  if (rows.values === null || datasetLabels === null) {
    throw noAnswers('lists of labels to compare with', 'classes');
  }
  const [from, to] = [datasetLabels.length, labels.length];
  const expected = new Float32Array(rows.ids.length * to);
  for (const [index, value] of rows.values.entries()) {
    if (value !== 1) continue;
    const [row, name] = [Math.floor(index / from), datasetLabels[index % from] ?? ''];
    const label = labels.indexOf(name);
    if (label < 0) throw unknownLabel(rows, row, name, labels);
    expected[row * to + label] = 1;
  }
  return expected;
}

function noAnswers(what: string, kind: string): Failure {
  return new Failure(
    'InvalidInput',
    `dataset has no ${what}, as the model answers them: give download-dataset a label column of ` +
      `label_kind: ${kind}`,
  );
}

function unknownLabel(
  rows: TokenizedRows,
  row: number,
  label: string,
  labels: readonly string[],
): Failure {
  return new Failure(
    'InvalidInput',
    `row ${rows.ids[row] ?? row} has the label '${label}', which the model does not know (it knows ` +
      `${labels.join(', ')}): evaluate on rows with the labels it was trained on, or name its ` +
      "classes by id2label in download-model's `config`",
  );
}
