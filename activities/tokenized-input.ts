import { readTokenizedDatasetInfo, tokenizedSplitFile } from '../data/tokenized-dataset.ts';
import type { TokenizedDatasetInfo } from '../data/tokenized-dataset.ts';
import { Failure } from '../plan/failures.ts';
import type { ArtifactDigest } from '../plan/plan.ts';
import { artifactFile, readManifest } from '../store/artifacts.ts';
import type { Store } from '../store/store.ts';

/** Files of a model folder that make up its tokenizer. */
export const TOKENIZER_FILES: readonly string[] = [
  ...['tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json', 'chat_template.jinja'],
];

export interface TokenizedInput {
  readonly info: TokenizedDatasetInfo;
  /** Verified local path of the Arrow file of its one split. */
  readonly file: string;
}

/** @throws InvalidInput when it has several splits, NotFound, CorruptArtifact */
export async function openTokenized(store: Store, digest: ArtifactDigest): Promise<TokenizedInput> {
  const info = await readTokenizedDatasetInfo(store, digest);
  return { info, file: await tokenizedSplitFile(store, digest) };
}

/**
 * Ids mean what the tokenizer that made them says.
 * @param input name of the dataset in messages
 * @throws InvalidInput when a dataset was tokenized with another tokenizer than the model has
 */
export async function requireTokenizerOf(
  store: Store,
  model: ArtifactDigest,
  input: string,
  { info }: TokenizedInput,
): Promise<void> {
  const { files } = await readManifest(store, model, 'model');
  const own = files.find(({ path }) => path === 'tokenizer.json')?.digest;
  if (own === undefined || info.tokenizer === own) return;
  throw new Failure(
    'InvalidInput',
    `${input} was tokenized with another tokenizer than the model's: give tokenize@1 this model, or ` +
      'the one that it was trained from, as its `tokenizer`',
  );
}

/** Verified local paths of a model's files, by name. */
export async function openModel(
  store: Store,
  digest: ArtifactDigest,
): Promise<Readonly<Record<string, string>>> {
  const manifest = await readManifest(store, digest, 'model');
  const files: Record<string, string> = {};
  for (const { path } of manifest.files) files[path] = await artifactFile(store, manifest, path);
  return files;
}
