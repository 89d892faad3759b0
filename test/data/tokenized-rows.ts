import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeDataset } from '../../data/dataset.ts';
import type { ContentKind, DatasetRow } from '../../data/dataset.ts';
import { tokenizeDataset } from '../../data/tokenize.ts';
import type { TokenizeResult, TokenizeSettings } from '../../data/tokenize.ts';
import { readTokenizedSplit, tokenizedSplitFile } from '../../data/tokenized-dataset.ts';
import type { TokenizedRows } from '../../data/tokenized-dataset.ts';
import { putArtifact } from '../../store/artifacts.ts';
import type { FileContent } from '../../store/artifacts.ts';
import type { ArtifactDigest, Store } from '../../store/store.ts';

/** Rows of TRL and transformers, and the tokenizer that they were made with. */
export const FIXTURES = fileURLToPath(new URL('../fixtures/data/chats', import.meta.url));

/** A chat template. */
export function template(name: string): string {
  return readFileSync(join(FIXTURES, `${name}.jinja`), 'utf8');
}

interface Folder {
  readonly store: Store;
  readonly folder: string;
}

/** The tokenizer as a model's artifact, with other files in the place of its own. */
export async function putTokenizer(
  store: Store,
  more: Readonly<Record<string, FileContent>> = {},
): Promise<ArtifactDigest> {
  const names = ['tokenizer.json', 'tokenizer_config.json'];
  const files = Object.fromEntries(names.map((name) => [name, { file: join(FIXTURES, name) }]));
  return putArtifact(store, { type: 'model', metadata: {}, files: { ...files, ...more } });
}
/** Writes rows as a data set, tokenizes it, and reads what came of that. */
export async function tokenize(
  { store, folder }: Folder,
  content: ContentKind,
  rows: readonly DatasetRow[],
  settings: TokenizeSettings,
  tokenizer?: ArtifactDigest,
): Promise<{ result: TokenizeResult; rows: TokenizedRows }> {
  const directory = join(folder, 'work');
  await mkdir(directory, { recursive: true });
  const shape = { content, labelKind: null, labels: null };
  const dataset = await writeDataset(store, { train: [rows] }, shape, { directory });
  const inputs = { dataset, tokenizer: tokenizer ?? (await putTokenizer(store)) };
  const result = await tokenizeDataset(store, inputs, settings, { directory });
  return {
    result,
    rows: await readTokenizedSplit(await tokenizedSplitFile(store, result.dataset)),
  };
}
