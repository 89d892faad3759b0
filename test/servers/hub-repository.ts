import { createHash } from 'node:crypto';

export interface HubRepository {
  readonly type: 'dataset' | 'model';
  /** `OWNER/NAME` */
  readonly name: string;
  /** Only HF_TOKEN of the server may see it. */
  readonly private?: boolean;
  /** Everyone may see it, and only HF_TOKEN may download. */
  readonly gated?: boolean;
  /** Files in large file storage: served by redirect from the other host. Default: none. */
  readonly lfs?: readonly string[];
  /** Those of `lfs` that are offered by the Hub's chunk protocol first. */
  readonly xet?: readonly string[];
  /** First commit of `main`. */
  readonly files: HubFiles;
}

export type HubFiles = { readonly [path: string]: string | Uint8Array };

export interface RepositoryState extends HubRepository {
  readonly commits: Map<string, ReadonlyMap<string, Buffer>>;
  readonly refs: Map<string, string>;
}

export interface TreeEntry {
  readonly type: 'file' | 'directory';
  readonly path: string;
  readonly oid: string;
  readonly size: number;
  readonly lfs?: { readonly oid: string; readonly size: number; readonly pointerSize: number };
  readonly xetHash?: string;
}

/** Puts a new commit with exactly these files on a branch. @returns its sha */
export function addCommit(repository: RepositoryState, files: HubFiles, branch: string): string {
  const contents = new Map(
    Object.entries(files).map(([path, content]) => [path, Buffer.from(content)]),
  );
  const parent = repository.refs.get(branch) ?? '';
  const sha = sha1([parent, ...[...contents].map(([path, bytes]) => path + sha1([bytes]))]);
  repository.commits.set(sha, contents);
  repository.refs.set(branch, sha);
  return sha;
}

/** All folders and files, as the Hub lists them. */
export function entriesOf(
  repository: RepositoryState,
  files: ReadonlyMap<string, Buffer>,
): readonly TreeEntry[] {
  const folders = new Map<string, TreeEntry>();
  const entries: TreeEntry[] = [];
  for (const [path, content] of files) {
    const parts = path.split('/');
    for (let depth = 1; depth < parts.length; depth++) {
      const folder = parts.slice(0, depth).join('/');
      folders.set(folder, { type: 'directory', path: folder, oid: sha1([folder]), size: 0 });
    }
    entries.push({
      type: 'file',
      path,
      size: content.length,
      ...stored(repository, path, content),
    });
  }
  return [...folders.values(), ...entries];
}

/** How the Hub stores a file: in git, in large file storage, in chunks. */
export function stored(
  repository: RepositoryState,
  path: string,
  content: Buffer,
): Pick<TreeEntry, 'oid' | 'lfs' | 'xetHash'> {
  if (repository.lfs?.includes(path) !== true) return { oid: gitDigest(content) };
  const pointer = Buffer.from(
    `version https://git-lfs.github.com/spec/v1\noid sha256:${sha256(content)}\nsize ${content.length}\n`,
  );
  return {
    oid: gitDigest(pointer),
    lfs: { oid: sha256(content), size: content.length, pointerSize: pointer.length },
    ...(repository.xet?.includes(path) === true ? { xetHash: sha256(pointer) } : {}),
  };
}

export function sha1(parts: readonly (string | Uint8Array)[]): string {
  const digest = createHash('sha1');
  for (const part of parts) digest.update(part);
  return digest.digest('hex');
}

export function sha256(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

/** Git's digest of a file. */
function gitDigest(content: Uint8Array): string {
  return sha1([`blob ${content.length}\0`, content]);
}
