import { Failure } from '../plan/failures.ts';
import { formatOfName, FORMATS, isCompressed, uncompressedName } from './formats.ts';
import type { Format } from './formats.ts';
import { checkSplitName } from './split.ts';
import { didYouMean, quotedList } from './wording.ts';

/** Names of a source's files, by the split that they are shards of. */
export type SplitFiles = ReadonlyMap<string, readonly string[]>;

export interface SplitFilesOptions {
  /** Default `auto`. */
  readonly format?: Format | 'auto';
  /** Files or folders of each split. Default: by their names. */
  readonly splits?: { readonly [split: string]: string | readonly string[] };
}

export interface NamedFilesOptions extends SplitFilesOptions {
  /** A source that is a file is data, whatever it is called. Default: it is a folder. */
  readonly sourceIsFile?: boolean;
}

const KEYWORDS: readonly (readonly [string, readonly string[]])[] = [
  ['train', ['train', 'training']],
  ['validation', ['validation', 'valid', 'dev', 'val']],
  ['test', ['test', 'testing', 'eval', 'evaluation']],
];

/** `data/NAME-00000-of-00001.parquet`: any name is a split. */
const SHARD = /^data\/(.+)-\d{5}-of-\d{5}[^/]*\.[^/]*$/;

/** Files that `datasets` and `transformers` put beside the data, and what people do. */
const NOT_DATA: ReadonlySet<string> = new Set([
  'config.json',
  'dataset_info.json',
  'dataset_infos.json',
  'dataset_dict.json',
  'state.json',
]);
const DOCUMENT = /^(readme|licen[cs]e)(\.(txt|rst))?$|\.md$/i;

/**
 * Whether a file that was found by a pattern may be data, by its name: what is hidden is not, nor
 * are documents, unless the pattern says so itself. Hugging Face counts hidden parts the same way.
 *
 * @param name relative to the folder that a person named
 * @param pattern with wildcards. Default: any name below the folder
 */
export function mayBeData(name: string, pattern = '**'): boolean {
  if (hiddenParts(name) !== hiddenParts(pattern)) return false;
  const base = name.split('/').at(-1) ?? '';
  const isNamed = !hasWildcard(pattern.split('/').at(-1) ?? '');
  return isNamed || (!NOT_DATA.has(base) && !DOCUMENT.test(base));
}

/** Number of the path's parts that are hidden. */
function hiddenParts(path: string): number {
  return path.split('/').filter((part) => /^\.+[^.]/.test(part)).length;
}

/** Whether a path stands for any number of files. */
export function hasWildcard(path: string): boolean {
  return /[*?[]/.test(path);
}

/**
 * Which files make up which split: as the person said, else by Hugging Face's rules. Those are, of
 * which the first that fits any file is followed: `data/NAME-00000-of-00001.parquet`; folders, then
 * files whose name holds train, validation, test or a synonym between separators; all are `train`.
 *
 * Where a folder holds several formats, the first of parquet, jsonl, json, csv, tsv, arrow is read.
 * Compressed files beside them are passed over, unless they are named for a split of their own.
 *
 * @param source as a person wrote it
 * @param names of its files, sorted
 * @throws InvalidInput when there are no data files, a split is compressed, or one fits two splits
 */
export function splitFiles(
  source: string,
  names: readonly string[],
  options: NamedFilesOptions = {},
): SplitFiles {
  if (options.splits !== undefined) return explicitSplits(source, names, options.splits);
  const data = options.sourceIsFile === true ? names : dataFiles(source, names, options.format);
  const shards = grouped(source, data, (name) => shardOf(name).map(checkSplitName));
  if (shards.size > 0) return shards;
  const folders = grouped(source, data, (name) => splitsNamed(name.split('/').slice(0, -1)));
  if (folders.size > 0) return folders;
  const files = grouped(source, data, (name) => splitsNamed(name.split('/').slice(-1)));
  return files.size > 0 ? files : new Map([['train', data]]);
}

function dataFiles(
  source: string,
  names: readonly string[],
  format: Format | 'auto' = 'auto',
): readonly string[] {
  const wanted = format === 'auto' ? FORMATS : [format];
  const data = names.filter((name) => mayBeData(name));
  const files =
    wanted
      .map((candidate) => data.filter((name) => formatOfName(name) === candidate))
      .find((fitting) => fitting.length > 0) ?? [];
  const splits = new Set(files.flatMap(splitsInName));
  const missing = data.find((name) => {
    const inside = isCompressed(name) ? formatOfName(uncompressedName(name)) : undefined;
    if (inside === undefined || !wanted.includes(inside)) return false;
    return files.length === 0 || splitsInName(name).some((split) => !splits.has(split));
  });
  if (missing !== undefined) {
    throw new Failure(
      'InvalidInput',
      `"${missing}" of "${source}" is compressed: decompress it first, or name other files with splits`,
    );
  }
  if (files.length > 0) return files;
  throw new Failure(
    'InvalidInput',
    `"${source}" holds no ${wanted.join(', ')} file` +
      (names.length === 0 ? ': it is empty' : `, only ${quotedList(names, 8)}`),
  );
}

function grouped(
  source: string,
  names: readonly string[],
  splitsOf: (name: string) => readonly string[],
): SplitFiles {
  const groups = new Map<string, string[]>();
  for (const name of names) {
    const [split, other] = splitsOf(name);
    if (split === undefined) continue;
    if (other !== undefined) {
      throw new Failure(
        'InvalidInput',
        `"${name}" of "${source}" fits the splits ${split} and ${other}: say which with splits`,
      );
    }
    groups.set(split, [...(groups.get(split) ?? []), name]);
  }
  return groups;
}

/** The splits that a file's name stands for: as a shard, else by its folders or its own name. */
function splitsInName(name: string): readonly string[] {
  const shard = shardOf(name);
  return shard.length > 0 ? shard : splitsNamed(name.split('/'));
}

/** The split that a file is named as a shard of. */
function shardOf(name: string): readonly string[] {
  const split = SHARD.exec(name)?.[1];
  return split === undefined ? [] : [split];
}

/** The splits whose keyword stands in one of the parts, between separators. */
function splitsNamed(parts: readonly string[]): readonly string[] {
  const words = new Set(parts.flatMap((part) => part.split(/[-._ 0-9]/)));
  return KEYWORDS.filter(([, keywords]) => keywords.some((keyword) => words.has(keyword))).map(
    ([split]) => split,
  );
}

function explicitSplits(
  source: string,
  names: readonly string[],
  splits: { readonly [split: string]: string | readonly string[] },
): SplitFiles {
  const groups = new Map<string, readonly string[]>();
  for (const [split, written] of Object.entries(splits)) {
    const paths = typeof written === 'string' ? [written] : written;
    groups.set(
      checkSplitName(split),
      paths.flatMap((path) => filesAt(source, names, split, path)),
    );
  }
  if (groups.size === 0) {
    throw new Failure(
      'InvalidInput',
      'splits is empty: expected a path for each split, or no splits',
    );
  }
  return groups;
}

function filesAt(
  source: string,
  names: readonly string[],
  split: string,
  path: string,
): readonly string[] {
  const trimmed = path.replace(/^\.\//, '').replace(/\/+$/, '');
  const found = names.filter((name) => name === trimmed || name.startsWith(`${trimmed}/`));
  const data = found.filter(
    (name) => name === trimmed || mayBeData(name.slice(trimmed.length + 1)),
  );
  if (data.length > 0) return data;
  if (found.length > 0) {
    throw new Failure(
      'InvalidInput',
      `splits.${split}: the folder "${path}" of "${source}" holds no data, only ` +
        quotedList(found, 8),
    );
  }
  throw new Failure(
    'InvalidInput',
    `splits.${split}: "${source}" has no file or folder "${path}", only ${quotedList(names, 8)}` +
      didYouMean(path, names),
  );
}
