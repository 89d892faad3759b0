import type { TokenizedRows } from '../data/tokenized-dataset.ts';
import { Failure } from '../plan/failures.ts';
import type { ModelDefinition } from './model.ts';

export interface RowRequirements {
  /** `train_dataset`: what messages call the rows. */
  readonly name: string;
  readonly model: ModelDefinition;
  /** Of the tokenized dataset. */
  readonly padTokenId: number | null;
  /** Every row has one of the model's classes. */
  readonly needsLabels: boolean;
}

/**
 * Checks that a model can read every row.
 * @throws InvalidInput naming the first row that it cannot, and the remedy
 */
export function checkRows(rows: TokenizedRows, requirements: RowRequirements): void {
  const { name, model, needsLabels } = requirements;
  if (rows.ids.length === 0) throw invalid(`${name} has no rows; expected at least 1`);
  if (needsLabels && rows.labels === null) {
    throw invalid(`${name} has no labels; give download-dataset a label column`);
  }
  for (const row of rows.ids.keys()) checkRow(rows, row, requirements);
  for (const [row, label] of (needsLabels ? (rows.labels ?? []) : []).entries()) {
    if (label >= 0 && label < model.classes) continue;
    throw invalid(
      `row ${JSON.stringify(rows.ids[row])} of ${name} has the label ${label}, and the model ` +
        `${model.classes} classes; give download-model config: { num_labels: ${label + 1} } or more`,
    );
  }
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
