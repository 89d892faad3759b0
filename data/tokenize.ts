import { join } from 'node:path';
import { Failure } from '../plan/failures.ts';
import type { ArtifactDigest, Store } from '../store/store.ts';
import { readDatasetInfo, readSplit } from './dataset.ts';
import type { DatasetRow, DatasetSplit, WriteOptions } from './dataset.ts';
import { putTokenizedDataset, writeTokenizedSplit } from './tokenized-dataset.ts';
import type { TokenizedRow } from './tokenized-dataset.ts';
import { loadTokenizer } from './tokenizer.ts';
import type { ModelTokenizer, TokenizerOptions } from './tokenizer.ts';

const BATCH_ROWS = 256;

export interface TokenizeProgress {
  readonly rows: number;
  readonly totalRows: number;
  readonly tokens: number;
}

export interface TokenizeOptions extends WriteOptions {
  readonly onProgress?: (progress: TokenizeProgress) => void;
}

export interface TokenizeResult {
  readonly dataset: ArtifactDigest;
  /** Tokens in all rows, after truncation. */
  readonly tokens: number;
  /** Rows that were longer than the limit. */
  readonly truncated: number;
}

/**
 * Tokenizes every split of a dataset with a model's tokenizer, as Hugging Face's
 * `tokenizer(text, truncation=True, max_length=...)` does, without padding.
 *
 * A row without a single token is refused: there is nothing in it to classify, and what Hugging
 * Face answers for one is the model's view of padding.
 *
 * @throws InvalidInput, DiskFull, NotFound, CorruptArtifact, or the signal's reason
 */
export async function tokenizeDataset(
  store: Store,
  inputs: { readonly dataset: ArtifactDigest; readonly tokenizer: ArtifactDigest },
  tokenizerOptions: TokenizerOptions,
  options: TokenizeOptions,
): Promise<TokenizeResult> {
  const info = await readDatasetInfo(store, inputs.dataset);
  const tokenizer = await loadTokenizer(store, inputs.tokenizer, tokenizerOptions);
  const totalRows = Object.values(info.splits).reduce((sum, rows) => sum + rows, 0);
  const counts = { rows: 0, tokens: 0, truncated: 0 };
  for (const name of Object.keys(info.splits)) {
    const split = await readSplit(store, inputs.dataset, name);
    const rows = tokenizedRows(split, tokenizer, counts, () => {
      options.onProgress?.({ rows: counts.rows, totalRows, tokens: counts.tokens });
    });
    const path = join(options.directory, `${name}.arrow`);
    const columns = { label: info.labels !== null, valuesPerRow: 0, completionMask: false };
    await writeTokenizedSplit(path, rows, columns, options.signal);
  }
  const { tokens, truncated } = counts;
  const dataset = await putTokenizedDataset(
    store,
    {
      splits: info.splits,
      labels: info.labels,
      label_kind: info.labels === null ? null : 'class',
      pad_token: tokenizer.padToken,
      pad_token_id: tokenizer.padTokenId,
      max_length: tokenizer.maxLength,
      tokenizer: tokenizer.digest,
      tokens,
      truncated,
    },
    options,
  );
  return { dataset, tokens, truncated };
}

async function* tokenizedRows(
  split: DatasetSplit,
  tokenizer: ModelTokenizer,
  counts: { rows: number; tokens: number; truncated: number },
  onBatch: () => void,
): AsyncGenerator<readonly TokenizedRow[]> {
  for (const batch of batches(split.rows())) {
    const encoded = await tokenizer.encode(batch.map((row) => row.text));
    yield batch.map((row, index): TokenizedRow => {
      const { inputIds, truncated } = encoded[index] as (typeof encoded)[number];
      if (inputIds.length === 0) throw noTokens(split.name, row);
      counts.rows += 1;
      counts.tokens += inputIds.length;
      counts.truncated += truncated ? 1 : 0;
      return { id: row.id, inputIds, label: row.label, values: null, completionMask: null };
    });
    onBatch();
  }
}

function* batches(rows: Iterable<DatasetRow>): Iterable<readonly DatasetRow[]> {
  let batch: DatasetRow[] = [];
  for (const row of rows) {
    batch.push(row);
    if (batch.length === BATCH_ROWS) {
      yield batch;
      batch = [];
    }
  }
  if (batch.length > 0) yield batch;
}

function noTokens(split: string, row: DatasetRow): Failure {
  return new Failure(
    'InvalidInput',
    `row "${row.id}" of the split "${split}" has no tokens (its text is ` +
      `${JSON.stringify(row.text)}): remove the row where the data comes from`,
  );
}
