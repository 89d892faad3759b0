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

/** The format that a file's extension stands for. */
export function formatOfName(name: string): Format | undefined {
  return EXTENSIONS.get(extname(name).toLowerCase());
}

/**
 * Opens a file as a table.
 * @param format of the file; by its extension when `auto`
 * @param wanted the columns that will be read
 * @throws InvalidInput
 */
export async function openTable(
  file: TableFile,
  format: Format | 'auto',
  wanted: readonly string[],
): Promise<Table> {
  const known = format === 'auto' ? formatOfName(file.display) : format;
  switch (known) {
    case 'csv':
      return openCsv(file, ',');
    case 'tsv':
      return openCsv(file, '\t');
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
        `its name does not say its format: set format to ${FORMATS.join(', ')}`,
      );
  }
}
