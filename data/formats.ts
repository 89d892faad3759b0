import { extname } from 'node:path';
import { openCsv } from './tables/csv.ts';
import { fileFailure, FORMATS } from './tables/table.ts';
import type { Format, Table, TableFile } from './tables/table.ts';

export { FORMATS };
export type { Format };

const EXTENSIONS: ReadonlyMap<string, Format> = new Map([
  ['.parquet', 'parquet'],
  ['.jsonl', 'jsonl'],
  ['.ndjson', 'jsonl'],
  ['.json', 'json'],
  ['.csv', 'csv'],
  ['.tsv', 'tsv'],
  ['.tab', 'tsv'],
  ['.arrow', 'arrow'],
]);

const COMPRESSED = /\.(gz|bz2|xz|zst|zip)$/i;

/** Whether a file's extension stands for compressed data. */
export function isCompressed(name: string): boolean {
  return COMPRESSED.test(name);
}

/** A file's name without the extension of compressed data. */
export function uncompressedName(name: string): string {
  return name.replace(COMPRESSED, '');
}

/** The format that a file's extension stands for. */
export function formatOfName(name: string): Format | undefined {
  return EXTENSIONS.get(extname(name).toLowerCase());
}

export interface OpenOptions {
  /** Of the file; by its extension when `auto`. */
  readonly format: Format | 'auto';
  /** The columns that will be read. */
  readonly wanted: readonly string[];
  /** Between the fields of csv and tsv. Default: as the format says. */
  readonly separator?: string | undefined;
}

/**
 * Opens a file as a table.
 * @throws InvalidInput
 */
export async function openTable(
  file: TableFile,
  { format, wanted, separator }: OpenOptions,
): Promise<Table> {
  const known = format === 'auto' ? formatOfName(file.display) : format;
  switch (known) {
    case 'csv':
    case 'tsv':
      return openCsv(file, known, separator);
    case 'jsonl':
    case 'json':
      return (await import('./tables/json.ts')).openJson(file, known, wanted);
    case 'parquet':
      return (await import('./tables/parquet.ts')).openParquet(file);
    case 'arrow':
      return (await import('./tables/arrow.ts')).openArrow(file);
    case undefined:
      throw fileFailure(
        file,
        isCompressed(file.display)
          ? 'it is compressed: decompress it first'
          : `its name does not say its format: set format to ${FORMATS.join(', ')}, or name the ` +
              'files of data with splits',
      );
  }
}
