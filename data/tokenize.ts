import { join } from 'node:path';
import { Failure } from '../plan/failures.ts';
import type { ArtifactDigest, Store } from '../store/store.ts';
import { cutIntoBlocks } from './blocks.ts';
import { readDatasetInfo, readSplit } from './dataset.ts';
import type { DatasetInfo, DatasetRow, DatasetSplit, WriteOptions } from './dataset.ts';
import { eosToken, rowEncoder } from './row-encoders.ts';
import type { EncodedRow, RowEncoder } from './row-encoders.ts';
import { putTokenizedDataset, writeTokenizedSplit } from './tokenized-dataset.ts';
import type { TokenizedColumns, TokenizedDatasetInfo, TokenizedRow } from './tokenized-dataset.ts';
import { columnsOf, labelOf } from './tokenized-labels.ts';
import { loadTokenizer } from './tokenizer.ts';
import type { ModelTokenizer, TokenizerOptions } from './tokenizer.ts';
import { counted } from './wording.ts';

const BATCH_ROWS = 256;

export interface TokenizeSettings extends TokenizerOptions {
  /** Text of a template for messages. Default: the tokenizer's own. */
  readonly chatTemplate?: string;
  /** Cuts all texts of a split, one after the other, into rows of so many tokens. */
  readonly blockSize?: number;
}

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
  /** Ids of the rows left out, because truncation left no token for the loss. */
  readonly dropped: readonly string[];
  /** Rows whose prompt ends within a token of the whole. */
  readonly mergedPrompts: number;
}

/** What is counted while rows are tokenized. */
interface Counts {
  rows: number;
  tokens: number;
  truncated: number;
  mergedPrompts: number;
  readonly dropped: string[];
}

/**
 * Tokenizes every split of a dataset with a model's tokenizer, without padding. Texts as Hugging
 * Face's `tokenizer(text, truncation=True, max_length=...)` does, or cut into blocks as its
 * run_clm.py; prompts with completions, and messages, as TRL's SFTTrainer, with a mask of the
 * tokens that the loss counts.
 *
 * A row without a single token is refused: there is nothing in it to classify, and what Hugging
 * Face answers for one is the model's view of padding. A row of which truncation leaves the prompt
 * alone is left out, as SFTTrainer does.
 *
 * @throws InvalidInput, DiskFull, NotFound, CorruptArtifact, or the signal's reason
 */
export async function tokenizeDataset(
  store: Store,
  inputs: { readonly dataset: ArtifactDigest; readonly tokenizer: ArtifactDigest },
  settings: TokenizeSettings,
  options: TokenizeOptions,
): Promise<TokenizeResult> {
  const info = await readDatasetInfo(store, inputs.dataset);
  checkSettings(info, settings);
  const { chatTemplate, blockSize } = settings;
  const tokenizer = await openTokenizer(store, inputs.tokenizer, info, settings);
  const encode = rowEncoder(info, tokenizer, chatTemplate);
  const blocks = blockSize === undefined ? undefined : blocksOf(tokenizer, blockSize);
  const totalRows = Object.values(info.splits).reduce((sum, rows) => sum + rows, 0);
  const counts: Counts = { rows: 0, tokens: 0, truncated: 0, mergedPrompts: 0, dropped: [] };
  const splits: Record<string, number> = {};
  for (const name of Object.keys(info.splits)) {
    const split = await readSplit(store, inputs.dataset, name);
    const encoded = encodedRows(split, encode, counts, () =>
      options.onProgress?.({ rows: counts.rows, totalRows, tokens: counts.tokens }),
    );
    const { rows, columns } = blocks
      ? { rows: blockRows(encoded, { ...blocks, split: name }, counts), columns: NO_COLUMNS }
      : { rows: tokenizedRows(split, encoded, counts), columns: columnsOf(split) };
    const path = join(options.directory, `${name}.arrow`);
    splits[name] = await writeTokenizedSplit(path, rows, columns, options.signal);
    if (splits[name] === 0) throw noRows(split, tokenizer, blockSize);
  }
  const { tokens, truncated, dropped, mergedPrompts } = counts;
  const written = { ...describe(info, tokenizer, settings), splits, tokens, truncated };
  const dataset = await putTokenizedDataset(store, written, options);
  return { dataset, tokens, truncated, dropped, mergedPrompts };
}

/** What the manifest says of the rows before they are counted. */
function describe(
  { content, labels, labelKind }: DatasetInfo,
  tokenizer: ModelTokenizer,
  { blockSize, chatTemplate = tokenizer.chatTemplate }: TokenizeSettings,
): Omit<TokenizedDatasetInfo, 'splits' | 'tokens' | 'truncated'> {
  const hasLabels = blockSize === undefined;
  return {
    labels: hasLabels ? labels : null,
    label_kind: hasLabels ? labelKind : null,
    pad_token: tokenizer.padToken,
    pad_token_id: tokenizer.padTokenId,
    max_length: blockSize ?? tokenizer.maxLength,
    tokenizer: tokenizer.digest,
    chat_template: content === 'messages' ? (chatTemplate ?? null) : null,
  };
}

/** Blocks are not cut to a limit, and what is for language modelling needs no pad token. */
function openTokenizer(
  store: Store,
  model: ArtifactDigest,
  { content }: DatasetInfo,
  { blockSize, ...given }: TokenizeSettings,
): Promise<ModelTokenizer> {
  return loadTokenizer(store, model, {
    ...given,
    ...(blockSize !== undefined && { truncation: false }),
    padsWithEos: content !== 'text' || blockSize !== undefined,
  });
}

function checkSettings({ content }: DatasetInfo, settings: TokenizeSettings): void {
  const refused = (what: string): Failure =>
    new Failure('InvalidInput', `${what}: leave it out, or name other columns in download-dataset`);
  if (settings.blockSize !== undefined && content !== 'text') {
    const rows = content === 'messages' ? 'messages' : 'prompts with completions';
    throw refused(`block_size cuts texts into blocks, and the rows of this dataset are ${rows}`);
  }
  if (settings.chatTemplate !== undefined && content !== 'messages') {
    const rows = content === 'text' ? 'texts' : 'prompts with completions';
    throw refused(`chat_template writes messages, and the rows of this dataset are ${rows}`);
  }
}

const NO_COLUMNS: TokenizedColumns = { label: false, valuesPerRow: 0, completionMask: false };

/** A block's size and what ends each text, checked. */
function blocksOf(tokenizer: ModelTokenizer, size: number): { size: number; eosId: number } {
  const { modelMaxLength: limit } = tokenizer;
  if (limit !== null && size > limit) {
    throw new Failure(
      'InvalidInput',
      `block_size: ${size} is more than the ${limit} tokens that the tokenizer's model reads: lower it`,
    );
  }
  return { size, eosId: eosToken(tokenizer, 'blocks have it between two texts').id };
}

interface RowWithTokens {
  readonly row: DatasetRow;
  readonly encoded: EncodedRow;
}

async function* encodedRows(
  split: DatasetSplit,
  encode: RowEncoder,
  counts: Counts,
  onBatch: () => void,
): AsyncGenerator<readonly RowWithTokens[]> {
  for (const batch of batches(split.rows())) {
    const encoded = await encode(batch, split.name);
    counts.rows += batch.length;
    yield batch.map((row, index) => ({ row, encoded: encoded[index] as EncodedRow }));
    onBatch();
  }
}

async function* tokenizedRows(
  split: DatasetSplit,
  groups: AsyncIterable<readonly RowWithTokens[]>,
  counts: Counts,
): AsyncGenerator<readonly TokenizedRow[]> {
  for await (const group of groups) {
    const rows: TokenizedRow[] = [];
    for (const { row, encoded } of group) {
      const { inputIds, completionMask, truncated, mergesPrompt } = encoded;
      if (inputIds.length === 0) throw noTokens(split.name, row);
      counts.truncated += truncated ? 1 : 0;
      if (completionMask !== null && !completionMask.includes(1)) {
        counts.dropped.push(row.id);
        continue;
      }
      counts.tokens += inputIds.length;
      counts.mergedPrompts += mergesPrompt ? 1 : 0;
      rows.push({ id: row.id, inputIds, completionMask, ...labelOf(row, split) });
    }
    yield rows;
  }
}

async function* blockRows(
  groups: AsyncIterable<readonly RowWithTokens[]>,
  blocks: { readonly split: string; readonly size: number; readonly eosId: number },
  counts: Counts,
): AsyncGenerator<readonly TokenizedRow[]> {
  async function* tokens(): AsyncGenerator<readonly Int32Array[]> {
    for await (const group of groups) yield group.map(({ encoded }) => encoded.inputIds);
  }
  for await (const rows of cutIntoBlocks(tokens(), blocks)) {
    for (const { inputIds } of rows) counts.tokens += inputIds.length;
    yield rows;
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
  const found = 'text' in row ? ` (its text is ${JSON.stringify(row.text)})` : '';
  return new Failure(
    'InvalidInput',
    `row "${row.id}" of the split "${split}" has no tokens${found}: remove the row where the data ` +
      'comes from',
  );
}

function noRows(
  { name, length }: DatasetSplit,
  { maxLength }: ModelTokenizer,
  blockSize: number | undefined,
): Failure {
  return new Failure(
    'InvalidInput',
    blockSize === undefined
      ? `no row of the split "${name}" (${counted(length, 'row')}) has a token of its completion within ` +
          `max_length: ${maxLength}: raise it, or shorten the prompts`
      : `the texts of the split "${name}" (${counted(length, 'row')}) have fewer than 2 tokens: there is ` +
          'nothing to predict; name the column of the text',
  );
}
