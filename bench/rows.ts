import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Tokenizer } from 'tokenizers';
import type { TokenizedRows } from '../data/tokenized-dataset.ts';

/** One labelled text as both sides of a comparison get it. */
export interface BenchRow {
  readonly id: string;
  readonly input_ids: readonly number[];
  readonly label: number;
}

/** Rows of a JSON lines file of {id, text, label}, tokenized and cut to `maxLength`. */
export async function readRows(
  file: string,
  modelFolder: string,
  maxLength: number,
): Promise<readonly BenchRow[]> {
  const tokenizer = Tokenizer.fromFile(join(modelFolder, 'tokenizer.json'));
  tokenizer.disablePadding();
  tokenizer.setTruncation(maxLength);
  const lines = (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '');
  const rows = lines.map(
    (line) => JSON.parse(line) as { readonly id: unknown; text: string; label: number },
  );
  const encoded = await tokenizer.encodeBatch(rows.map(({ text }) => text));
  return rows.map(({ id, label }, i) => ({
    id: String(id),
    input_ids: [...(encoded[i]?.getIds() ?? [])],
    label,
  }));
}

/** The same rows as training takes them. */
export function tokenizedRows(rows: readonly BenchRow[]): TokenizedRows {
  const offsets = new Int32Array(rows.length + 1);
  for (const [i, row] of rows.entries()) {
    offsets[i + 1] = (offsets[i] ?? 0) + row.input_ids.length;
  }
  return {
    ids: rows.map(({ id }) => id),
    inputIds: Int32Array.from(rows.flatMap((row) => row.input_ids)),
    offsets,
    labels: Int32Array.from(rows, ({ label }) => label),
    values: null,
    valuesPerRow: 0,
    completionMask: null,
  };
}
