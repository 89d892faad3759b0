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

/** Scores that there are, by what a model answers. */
const SCORES = {
  'causal-lm': ['loss', 'perplexity'],
  single_label_classification: ['accuracy', 'f1_macro', 'f1_weighted', 'loss'],
  multi_label_classification: ['accuracy', 'f1_micro', 'loss'],
  regression: ['mse', 'mae', 'loss'],
} as const;

/** What a model is asked for. */
type Question = Pick<ModelDefinition, 'task' | 'problemType' | 'classes'>;

/** @throws InvalidInput for a score that is none of the model's */
export function checkMetrics(model: Question, wanted: readonly string[]): void {
  const names: readonly string[] =
    SCORES[model.task === 'causal-lm' ? model.task : model.problemType];
  const missing = wanted.find((name) => !names.includes(name));
  if (missing === undefined) return;
  throw invalid(`metrics: this model has no ${missing}; its scores are ${names.join(', ')}`);
}

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
      return { labels: null, values: expectedNumbers(rows, model.classes) };
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
    throw rows.values === null
      ? invalid(
          "dataset has no labels to compare with: name the label column in download-dataset's `label`",
        )
      : invalid(
          'dataset has several classes or numbers a row, and the model tells one class: give ' +
            'download-dataset a label column and label_kind: class',
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
    throw noAnswers('lists of classes', 'classes');
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

/** [N, the model's targets] */
function expectedNumbers(rows: TokenizedRows, targets: number): Float32Array {
  if (rows.values === null) throw noAnswers('numbers', 'number');
  if (rows.valuesPerRow === targets) return rows.values;
  throw invalid(
    `dataset has ${counted(rows.valuesPerRow)} a row, and the model answers ${counted(targets)}: ` +
      "name the columns that it was trained on in download-dataset's `label`",
  );
}

function counted(numbers: number): string {
  return numbers === 1 ? '1 number' : `${numbers} numbers`;
}

function noAnswers(what: string, kind: string): Failure {
  return invalid(
    `dataset has no ${what} to compare the model's answers with: give download-dataset a label ` +
      `column and label_kind: ${kind}`,
  );
}

function unknownLabel(
  rows: TokenizedRows,
  row: number,
  label: string,
  labels: readonly string[],
): Failure {
  return invalid(
    `row ${rows.ids[row] ?? row} has the label '${label}', which the model does not know (it knows ` +
      `${labels.join(', ')}): evaluate on rows with the labels it was trained on, or name its ` +
      "classes by id2label in download-model's `config`",
  );
}

function invalid(message: string): Failure {
  return new Failure('InvalidInput', message);
}
