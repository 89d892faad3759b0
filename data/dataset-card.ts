import { parse } from 'yaml';
import type { YAMLParseError } from 'yaml';
import { z } from 'zod';
import { Failure } from '../plan/failures.ts';
import { formatOfName } from './formats.ts';
import type { Format } from './formats.ts';
import { hasWildcard, mayBeData, splitFiles } from './split-files.ts';
import type { SplitFiles, SplitFilesOptions } from './split-files.ts';
import { checkSplitName } from './split.ts';
import { quotedList } from './wording.ts';

const patterns = z.union([z.string(), z.array(z.string())]);
const configSchema = z.looseObject({
  config_name: z.coerce.string(),
  default: z.boolean().nullish(),
  data_dir: z.string().nullish(),
  data_files: z
    .union([z.array(z.object({ split: z.coerce.string(), path: patterns })).nonempty(), patterns])
    .nullish(),
});
const cardSchema = z.object({ configs: z.array(configSchema).nullish() });

type Config = z.infer<typeof configSchema>;

type Harmless = Readonly<Record<string, readonly unknown[]>>;

const ANY_OPTIONS: Harmless = { features: [null] };
const TEXT_OPTIONS: Harmless = {
  ...ANY_OPTIONS,
  encoding: [null, 'utf-8', 'utf8', 'UTF-8', 'UTF8', 'utf-8-sig'],
  encoding_errors: [null, 'strict'],
};
const JSON_OPTIONS: Harmless = { ...TEXT_OPTIONS, field: [null] };
const CSV_OPTIONS: Harmless = {
  ...TEXT_OPTIONS,
  column_names: [null],
  comment: [null],
  decimal: ['.'],
  dialect: [null],
  doublequote: [true],
  error_bad_lines: [true],
  escapechar: [null],
  false_values: [null],
  header: ['infer', 0],
  index_col: [null],
  lineterminator: [null, '\n'],
  na_values: [null],
  names: [null],
  nrows: [null],
  on_bad_lines: ['error'],
  quotechar: ['"'],
  quoting: [0],
  skip_blank_lines: [true],
  skipfooter: [0],
  skipinitialspace: [false],
  skiprows: [null, 0],
  thousands: [null],
  true_values: [null],
};

/**
 * Options of Hugging Face's loaders that change the rows, each with the values that change nothing
 * here. Options for speed, and keys that the format's loader does not know, are not among them.
 *
 * Source: CsvConfig, JsonConfig, ParquetConfig and ArrowConfig of `datasets` 5.2.0.
 */
const UNSUPPORTED: Readonly<Record<Format, Harmless>> = {
  parquet: { ...ANY_OPTIONS, filters: [null] },
  jsonl: JSON_OPTIONS,
  json: JSON_OPTIONS,
  csv: CSV_OPTIONS,
  tsv: CSV_OPTIONS,
  arrow: ANY_OPTIONS,
};

/** How a data set's card says its files are to be read. */
export interface CardReading {
  readonly splits: SplitFiles;
  /** Between the fields of csv and tsv files; undefined where there are none, or it is not said. */
  readonly separator: string | undefined;
}

/**
 * What the front matter of a data set's README.md says, Hugging Face's way:
 * `configs: [{ config_name, data_dir, data_files: [{ split, path }], sep }]`. Of several
 * configurations the default one counts. Paths are relative to `data_dir`; without `data_files` the
 * files below it are sorted into splits by their names.
 *
 * @param source as a person wrote it
 * @param card text of README.md
 * @param names of the source's files, sorted
 * @returns undefined when the card has no configurations
 * @throws InvalidInput when there are several configurations and no default, when the files are
 * missing, or when an option of their format is not supported
 */
export function readCard(
  source: string,
  card: string,
  names: readonly string[],
  options: SplitFilesOptions = {},
): CardReading | undefined {
  const configs = configsOf(source, card);
  if (configs.length === 0) return undefined;
  const config = chosenConfig(source, configs);
  const splits = splitsOf(source, config, names, options);
  const formats = formatsOf(splits, options);
  for (const format of formats) checkOptions(source, config, format);
  const isCsv = formats.has('csv') || formats.has('tsv');
  return { splits, separator: isCsv ? separatorOf(source, config) : undefined };
}

/** The formats that files will be read as. */
function formatsOf(
  splits: SplitFiles,
  { format = 'auto' }: SplitFilesOptions,
): ReadonlySet<Format> {
  if (format !== 'auto') return new Set([format]);
  const found = [...splits.values()].flat().map(formatOfName);
  return new Set(found.filter((known) => known !== undefined));
}

/** The configurations of a card; none where it says nothing of files. */
function configsOf(source: string, card: string): readonly Config[] {
  const [, frontMatter] = /^---\r?\n([\s\S]*?)\r?\n---/.exec(card) ?? [];
  if (frontMatter === undefined) return [];
  const { data, error } = cardSchema.safeParse(parseYaml(source, frontMatter));
  if (error === undefined) return data.configs ?? [];
  const [{ path } = { path: [] }] = error.issues;
  // The front matter is no mapping at all.
  if (path.length === 0) return [];
  throw wrongCard(
    source,
    `has ${path.join('.')} in another form than Hugging Face's datasets reads`,
  );
}

/** What YAML says; undefined where it is broken and says nothing of files in any case. */
function parseYaml(source: string, text: string): unknown {
  try {
    return parse(text, { logLevel: 'error' }) as unknown;
  } catch (error) {
    if (!/^configs\s*:/m.test(text)) return undefined;
    const { message, linePos } = error as YAMLParseError;
    // The line before the YAML's first is `---`.
    const line = (linePos?.[0].line ?? 0) + 1;
    const [reason] = message.split(/ at line \d+/);
    throw wrongCard(source, `has configs in YAML that is broken in line ${line} (${reason})`);
  }
}

function chosenConfig(source: string, configs: readonly Config[]): Config {
  const [only, ...others] = configs;
  const chosen =
    others.length === 0
      ? only
      : (configs.find((config) => config.default === true) ??
        configs.find((config) => config.config_name === 'default'));
  if (chosen !== undefined) return chosen;
  throw new Failure(
    'InvalidInput',
    `"${source}" holds several data sets, ${quotedList(configs.map((config) => config.config_name))}` +
      ', and no default: name a folder in the source, or the files with splits',
  );
}

function checkOptions(source: string, config: Config, format: Format): void {
  for (const [key, harmless] of Object.entries(UNSUPPORTED[format])) {
    if (!Object.hasOwn(config, key) || harmless.includes(config[key])) continue;
    throw wrongCard(source, `sets ${key} for "${config.config_name}", which is not supported`);
  }
}

function splitsOf(
  source: string,
  { data_dir: folder, data_files: files }: Config,
  names: readonly string[],
  options: SplitFilesOptions,
): SplitFiles {
  const parts = (folder ?? '').split('/').filter((part) => part !== '' && part !== '.');
  const prefix = parts.map((part) => `${part}/`).join('');
  const below = names.filter((name) => name.startsWith(prefix));
  if (below.length === 0) {
    throw wrongCard(source, `names the data_dir "${folder}", but there is no such folder`);
  }
  const inside = below.map((name) => name.slice(prefix.length));
  const splits =
    files == null
      ? splitFiles([source.replace(/\/+$/, ''), ...parts].join('/'), inside, options)
      : filesOf(source, dataFilesOf(files), inside);
  return new Map([...splits].map(([split, found]) => [split, found.map((name) => prefix + name)]));
}

function separatorOf(source: string, config: Config): string | undefined {
  const written = config['delimiter'] ?? config['sep'] ?? undefined;
  // Without quotes, YAML takes it for two characters.
  const separator = written === '\\t' ? '\t' : written;
  if (separator === undefined) return undefined;
  if (typeof separator === 'string' && separator.length === 1) return separator;
  throw wrongCard(
    source,
    `separates fields by ${JSON.stringify(separator)}, but only one character is supported`,
  );
}

type DataFiles = readonly { readonly split: string; readonly path: string | readonly string[] }[];

function dataFilesOf(files: DataFiles | string | readonly string[]): DataFiles {
  if (typeof files === 'string') return [{ split: 'train', path: files }];
  const listed = files.filter((file) => typeof file === 'string');
  if (listed.length > 0) return [{ split: 'train', path: listed }];
  return files.filter((file) => typeof file !== 'string');
}

function filesOf(source: string, files: DataFiles, names: readonly string[]): SplitFiles {
  const splits = new Map<string, readonly string[]>();
  for (const { split, path } of files) {
    const globs = typeof path === 'string' ? [path] : path;
    const found = globs.map((glob) => filesFitting(glob, names));
    const missing = globs.filter((glob, index) => !hasWildcard(glob) && found[index]?.length === 0);
    if (missing.length > 0 || found.flat().length === 0) {
      const named = quotedList(missing.length > 0 ? missing : globs);
      throw wrongCard(source, `names ${named} as the split ${split}, but there is no such file`);
    }
    splits.set(checkSplitName(split), [...new Set(found.flat())]);
  }
  return splits;
}

/** Wildcards pass over files that are no data; what is named is data, whatever it is called. */
function filesFitting(glob: string, names: readonly string[]): readonly string[] {
  const pattern = toPattern(glob);
  return names.filter((name) => pattern.test(name) && mayBeData(name, glob));
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

function wrongCard(source: string, what: string): Failure {
  return new Failure(
    'InvalidInput',
    `"${source}": its README.md ${what}: name the files with splits`,
  );
}
