import { readTokenizedDatasetInfo, tokenizedSplitFile } from '../data/tokenized-dataset.ts';
import type { TokenizedDatasetInfo } from '../data/tokenized-dataset.ts';
import type { ArtifactDigest } from '../plan/plan.ts';
import { artifactFile, readManifest } from '../store/artifacts.ts';
import type { Store } from '../store/store.ts';

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
