/** Tables as files hold them, before their columns have a meaning. */
import { Failure } from '../../plan/failures.ts';
import type { JsonValue } from '../../plan/json.ts';
import { didYouMean, quotedList } from '../wording.ts';

/** In the order in which a folder with several is searched. */
export const FORMATS = ['parquet', 'jsonl', 'json', 'csv', 'tsv', 'arrow'] as const;
export type Format = (typeof FORMATS)[number];

/** A local file, and its name in messages. */
export interface TableFile {
  readonly path: string;
  readonly display: string;
}

/** Where a cell stands, for messages. */
export interface RowPlace {
  readonly file: TableFile;
  /** From 1, without a header. */
  readonly row: number;
}

/** A value that is no text, number or truth value. */
export interface OtherCell {
  /** What it is, with an article: `a list`. */
  readonly what: string;
  /** A list or an object; undefined for what is neither. */
  readonly value?: JsonValue;
}

/** One value as the file holds it; integers beyond 2^53 as bigint. */
export type Cell = string | number | bigint | boolean | null | OtherCell;

/** Rows, each with the cells of the wanted columns. */
export type CellRows = readonly (readonly Cell[])[];

/** An open table of one file. Nothing is held in memory. */
export interface Table {
  readonly file: TableFile;
  readonly columns: readonly string[];
  /** Whether the format knows nothing but text. */
  readonly untyped: boolean;
  /** What may be wrong when a column is missing, and what to do. */
  readonly hint?: string | undefined;
  /**
   * Names of the classes of a column that Hugging Face's `datasets` wrote as a ClassLabel, or as a
   * list of them.
   */
  classNames(column: string): readonly string[] | undefined;
  /**
   * Reads columns, by their names in `columns`, in the order of the file.
   * @throws InvalidInput, naming the line or row that cannot be read
   */
  scan(columns: readonly string[], signal?: AbortSignal): AsyncIterable<CellRows>;
}

/** A failure about a file: `NAME: WHAT`. */
export function fileFailure(file: TableFile, what: string, cause?: unknown): Failure {
  return new Failure('InvalidInput', `${file.display}: ${what}`, cause ? { cause } : {});
}

/**
 * Checks that a table has a column, once.
 * @param option the key that names it
 * @throws InvalidInput
 */
export function checkColumn(table: Table, option: string, column: string): void {
  const found = table.columns.filter((name) => name === column).length;
  if (found === 1) return;
  if (found > 1) {
    throw fileFailure(table.file, `it has ${found} columns named "${column}": rename all but one`);
  }
  throw fileFailure(
    table.file,
    `it has no column "${column}" (${option}), only ${quotedList(table.columns)}` +
      (table.hint === undefined ? didYouMean(column, table.columns) : `: ${table.hint}`),
  );
}

/** A cell as a message shows it: `5 (a number)`. */
export function describeCell(cell: Cell): string {
  if (cell === null) return 'nothing';
  if (typeof cell === 'object') return cell.what;
  if (typeof cell === 'string') {
    return `"${cell.length > 40 ? `${cell.slice(0, 40)}...` : cell}" (text)`;
  }
  return typeof cell === 'boolean' ? `${cell} (true or false)` : `${cell} (a number)`;
}

/** The items of a list as cells; undefined for what is no list. */
export function itemsOf(cell: Cell): readonly Cell[] | undefined {
  if (cell === null || typeof cell !== 'object') return undefined;
  return Array.isArray(cell.value) ? cell.value.map(jsonCell) : undefined;
}

/** A value of JSON as a cell. */
export function jsonCell(value: JsonValue): Cell {
  if (value === null || typeof value !== 'object') return value;
  return { what: Array.isArray(value) ? 'a list' : 'an object', value };
}

/** An integer as a number where that is exact. */
export function integerCell(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** A value as a typed file's reader gives it. */
export function toCell(value: unknown, type: string): Cell {
  switch (typeof value) {
    case 'string':
    case 'number':
    case 'boolean':
      return value;
    case 'bigint':
      return integerCell(value);
    default:
      return value === null ? null : { what: `a value of type ${type}` };
  }
}

/** What `datasets` says of a column, as far as classes go. */
interface Feature {
  readonly _type?: string;
  readonly names?: string[];
  /** Of a list: what its items are. */
  readonly feature?: Feature;
}

/** ClassLabel names by column, of the value that `datasets` keeps under the key `huggingface`. */
export function parseClassNames(metadata: string | undefined): ReadonlyMap<string, string[]> {
  const names = new Map<string, string[]>();
  if (metadata === undefined) return names;
  const parsed = JSON.parse(metadata) as {
    // Older versions write a list as a list of one feature.
    info?: { features?: Record<string, Feature | readonly [Feature]> };
  };
  for (const [column, found] of Object.entries(parsed.info?.features ?? {})) {
    const [feature] = [found].flat() as [Feature];
    const label = feature.feature ?? feature;
    if (label._type === 'ClassLabel' && label.names) names.set(column, label.names);
  }
  return names;
}
