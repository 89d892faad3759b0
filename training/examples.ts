import type { TokenizedRows } from '../data/tokenized-dataset.ts';
import { Failure } from '../plan/failures.ts';
import type { ModelDefinition } from './model.ts';

export interface RowRequirements {
  /** `train_dataset`: what messages call the rows. */
  readonly name: string;
  readonly model: ModelDefinition;
  /** Of the tokenized dataset. */
  readonly padTokenId: number | null;
  /** Every row has what the model is to answer. */
  readonly needsAnswers: boolean;
}

/**
 * Checks that a model can read every row.
 * @throws InvalidInput naming the first row that it cannot, and the remedy
 */
export function checkRows(rows: TokenizedRows, requirements: RowRequirements): void {
  const { name, model, needsAnswers } = requirements;
  if (rows.ids.length === 0) throw invalid(`${name} has no rows; expected at least 1`);
  checkPadToken(requirements);
  for (const row of rows.ids.keys()) checkRow(rows, row, requirements);
  if (!needsAnswers) return;
  if (model.task === 'causal-lm') checkPredictedTokens(rows, name);
  else if (model.valuesWidth === undefined) checkLabels(rows, name, model);
  else checkValues(rows, name, model);
}

/** The trained model has the pad token of its rows. */
function checkPadToken({ name, model, padTokenId }: RowRequirements): void {
  if (!model.hasPadPositions || padTokenId === model.padTokenId) return;
  throw invalid(
    `${name} was tokenized with the pad token ${padTokenId}, and the model counts positions from ` +
      `its own, ${model.padTokenId}; give tokenize no pad_token, or the token of that id`,
  );
}

function checkLabels(rows: TokenizedRows, name: string, model: ModelDefinition): void {
  if (rows.labels === null) {
    throw invalid(
      rows.values === null
        ? `${name} has no labels; give download-dataset a label column`
        : `${name} has several labels or numbers a row, and the model tells one class a row; give ` +
            'train problem_type: multi_label_classification or regression',
    );
  }
  for (const [row, label] of rows.labels.entries()) {
    if (label >= 0 && label < model.classes) continue;
    throw invalid(
      `row ${JSON.stringify(rows.ids[row])} of ${name} has the label ${label}, and the model ` +
        `${model.classes} classes; give download-model config: { num_labels: ${label + 1} } or more`,
    );
  }
}

function checkValues(rows: TokenizedRows, name: string, model: ModelDefinition): void {
  const isRegression = model.problemType === 'regression';
  if (rows.values === null) {
    const kind = isRegression ? 'number' : 'classes';
    throw invalid(
      `${name} has no ${isRegression ? 'numbers to predict' : 'lists of labels'}, as ` +
        `${model.problemType} needs; give download-dataset a label column of them and label_kind: ${kind}`,
    );
  }
  if (rows.valuesPerRow === model.classes) return;
  const what = isRegression ? 'numbers' : 'classes';
  throw invalid(
    `${name} has ${rows.valuesPerRow} ${what} a row, and the model answers ${model.classes}; give ` +
      `download-model config: { num_labels: ${rows.valuesPerRow} }`,
  );
}

/** A language model learns from each token that has one before it and is not of a prompt. */
function checkPredictedTokens(rows: TokenizedRows, name: string): void {
  const { offsets, completionMask } = rows;
  for (let row = 0; row < rows.ids.length; row++) {
    const [start = 0, end = 0] = offsets.subarray(row, row + 2);
    for (let token = start + 1; token < end; token++) {
      if (completionMask?.[token] !== 0) return;
    }
  }
  throw invalid(
    `${name} has no token to predict: each row has at most one token, or is a prompt alone; give ` +
      'longer texts, or completions',
  );
}

function checkRow(rows: TokenizedRows, row: number, requirements: RowRequirements): void {
  const { name, model, padTokenId } = requirements;
  const ids = tokensOf(rows, row);
  const id = JSON.stringify(rows.ids[row]);
  if (ids.length === 0 && padTokenId === null) {
    throw invalid(`row ${id} of ${name} has no tokens and there is no pad token; remove the row`);
  }
  if (ids.length > model.positions) {
    throw invalid(
      `row ${id} of ${name} has ${ids.length} tokens, and the model reads ${model.positions}; ` +
        `give tokenize max_length: ${model.positions} or less`,
    );
  }
  const unknown = ids.find((token) => token < 0 || token >= model.vocabulary);
  if (unknown !== undefined) {
    throw invalid(
      `row ${id} of ${name} has the token ${unknown}, and the model's vocabulary ends at ` +
        `${model.vocabulary - 1}; tokenize with the model's own tokenizer, or make a fresh model ` +
        `with its vocab_size`,
    );
  }
}

/** A row's tokens, in place. */
function tokensOf(rows: TokenizedRows, row: number): Int32Array {
  return rows.inputIds.subarray(rows.offsets[row], rows.offsets[row + 1]);
}

/** A row's tokens; a row without any is read as one pad token. */
export function readableTokensOf(
  rows: TokenizedRows,
  row: number,
  padTokenId: number | null,
): Int32Array {
  const ids = tokensOf(rows, row);
  return ids.length > 0 ? ids : Int32Array.of(padTokenId ?? 0);
}

function invalid(message: string): Failure {
  return new Failure('InvalidInput', message);
}
