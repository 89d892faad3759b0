import { parse } from 'yaml';
import { z } from 'zod';
import { Failure } from '../plan/failures.ts';
import type { SplitFiles } from './split-files.ts';
import { checkSplitName } from './split.ts';
import { quotedList } from './wording.ts';

const patterns = z.union([z.string(), z.array(z.string())]);
const cardSchema = z.object({
  configs: z
    .array(
      z.object({
        config_name: z.coerce.string(),
        default: z.boolean().optional(),
        data_files: z
          .union([
            z.array(z.object({ split: z.coerce.string(), path: patterns })).nonempty(),
            patterns,
          ])
          .optional(),
      }),
    )
    .nonempty(),
});

/**
 * The files of each split as the front matter of a data set's README.md says, Hugging Face's way:
 * `configs: [{ config_name, data_files: [{ split, path }] }]`. Of several configurations the default
 * one counts.
 *
 * @param source as a person wrote it
 * @param card text of README.md
 * @param names of the source's files, sorted
 * @returns undefined when the card says nothing of files
 * @throws InvalidInput when there are several configurations and no default
 */
export function cardSplits(
  source: string,
  card: string,
  names: readonly string[],
): SplitFiles | undefined {
  const [, frontMatter] = /^---\r?\n([\s\S]*?)\r?\n---/.exec(card) ?? [];
  if (frontMatter === undefined) return undefined;
  const { data: found } = cardSchema.safeParse(parseYaml(frontMatter));
  if (found === undefined) return undefined;
  const [only, ...others] = found.configs;
  const config =
    others.length === 0
      ? only
      : (found.configs.find((candidate) => candidate.default === true) ??
        found.configs.find((candidate) => candidate.config_name === 'default'));
  if (config === undefined) {
    const configs = found.configs.map((candidate) => candidate.config_name);
    throw new Failure(
      'InvalidInput',
      `"${source}" holds several data sets, ${quotedList(configs)}, and no default: name a folder ` +
        'in the source, or the files with splits',
    );
  }
  return config.data_files === undefined
    ? undefined
    : filesOf(source, normalize(config.data_files), names);
}

function parseYaml(text: string): unknown {
  try {
    return parse(text) as unknown;
  } catch {
    return undefined;
  }
}

type DataFiles = readonly { readonly split: string; readonly path: string | readonly string[] }[];

function normalize(files: DataFiles | string | readonly string[]): DataFiles {
  if (typeof files === 'string') return [{ split: 'train', path: files }];
  const listed = files.filter((file) => typeof file === 'string');
  if (listed.length > 0) return [{ split: 'train', path: listed }];
  return files.filter((file) => typeof file !== 'string');
}

function filesOf(source: string, files: DataFiles, names: readonly string[]): SplitFiles {
  const splits = new Map<string, readonly string[]>();
  for (const { split, path } of files) {
    const globs = typeof path === 'string' ? [path] : path;
    const found = new Set(
      globs.flatMap((glob) => names.filter((name) => toPattern(glob).test(name))),
    );
    if (found.size === 0) {
      throw new Failure(
        'InvalidInput',
        `"${source}": its README.md names ${quotedList(globs)} as the split ${split}, but there is ` +
          'no such file: name the files with splits',
      );
    }
    splits.set(checkSplitName(split), [...found]);
  }
  return splits;
}

/** A path with the wildcards `**`, `*`, `?` and `[...]`. */
function toPattern(glob: string): RegExp {
  const pattern = glob
    .replace(/^\.\//, '')
    .replace(/\*\*\/|\*\*|\*|\?|\[[^\]]+\]|[.+^${}()|\\[\]]/g, (part) => {
      switch (part) {
        case '**/':
          return '(?:.*/)?';
        case '**':
          return '.*';
        case '*':
          return '[^/]*';
        case '?':
          return '[^/]';
        default:
          return part.length > 1 ? part.replace(/^\[!/, '[^') : `\\${part}`;
      }
    });
  return new RegExp(`^${pattern}$`);
}
