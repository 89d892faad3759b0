import { Failure } from '../plan/failures.ts';
import type { DatasetRow, DatasetShape, LabelKind, RowGroups } from './dataset.ts';
import { openTable } from './formats.ts';
import type { Format } from './formats.ts';
import { findLabels } from './labels.ts';
import type { LabelReader } from './labels.ts';
import { contentReader } from './row-content.ts';
import type { ContentColumns, ContentReader } from './row-content.ts';
import { checkColumn, describeCell, fileFailure } from './tables/table.ts';
import type { Cell, RowPlace, Table, TableFile } from './tables/table.ts';

/** Which column means what. */
export interface ColumnOptions {
  readonly content: ContentColumns;
  /** Without it, the dataset has no labels. Several: one a class, or one a number to predict. */
  readonly label?: string | readonly string[];
  /** Default `auto`: by the column's values. */
  readonly labelKind?: LabelKind | 'auto';
  /** Without it, rows are called `SPLIT-INDEX`, from 0. */
  readonly id?: string;
  /** Names of the classes, in the order of their indices. Default: found in the data. */
  readonly labels?: readonly string[];
}

export interface ReadOptions extends ColumnOptions {
  /** Default `auto`: by each file's extension. */
  readonly format?: Format | 'auto';
  /** Between the fields of csv and tsv files. Default: as the format says. */
  readonly separator?: string;
  readonly signal?: AbortSignal;
  /** Called now and then with the number of rows read so far, of all splits. */
  readonly onRows?: (rows: number) => void;
  /** Called for each row whose text is missing, which is kept with an empty one. */
  readonly onRowWithoutText?: (id: string) => void;
}

export interface ReadDataset {
  readonly shape: DatasetShape;
  /** Rows in the order of the files, read as they are asked for. */
  readonly splits: { readonly [split: string]: RowGroups };
}

/** A dataset's columns, by the option that names each, and how they are read. */
interface RowReaders {
  readonly content: ContentReader;
  readonly label: LabelReader | undefined;
  readonly labelColumns: readonly string[];
}

/**
 * Reads the files of each split as one dataset. The files are read up to three times where the
 * kind of the label and its classes have to be found out, and never held in memory.
 *
 * @throws InvalidInput, naming file, row and remedy: here, and while rows are read
 */
export async function readDataset(
  files: ReadonlyMap<string, readonly TableFile[]>,
  options: ReadOptions,
): Promise<ReadDataset> {
  const columns = namedColumns(options);
  const tables = new Map<string, readonly Table[]>();
  for (const [split, parts] of files) {
    tables.set(split, await openTables(parts, columns, options));
  }
  const { labelKind: kind = 'auto', labels: names, signal } = options;
  const labelColumns = [options.label ?? []].flat();
  const label =
    labelColumns.length === 0
      ? undefined
      : await findLabels(
          [...tables.values()].flat(),
          { columns: labelColumns, kind, ...(names && { names }) },
          signal,
        );
  const content = contentReader(options.content);
  const progress = { rows: 0 };
  return {
    shape: {
      content: content.kind,
      labelKind: label?.kind ?? null,
      labels: label?.names ?? null,
    },
    splits: Object.fromEntries(
      [...tables].map(([split, parts]) => [
        split,
        readRows(split, parts, { content, label, labelColumns }, options, progress),
      ]),
    ),
  };
}

/** Every column that is read, with the option that names it. */
type NamedColumns = readonly (readonly [option: string, column: string])[];

function namedColumns({ content, label, id }: ColumnOptions): NamedColumns {
  const named: NamedColumns = [
    ...Object.entries<string>({ ...content }),
    ...[label ?? []].flat().map((column) => ['label', column] as const),
    ...(id === undefined ? [] : [['id', id] as const]),
  ];
  for (const [index, [key, column]] of named.entries()) {
    const [other] = named.slice(0, index).find(([, before]) => before === column) ?? [];
    if (other === undefined) continue;
    throw new Failure(
      'InvalidInput',
      other === key
        ? `${key} names the column "${column}" twice: leave one of them out`
        : `${other} and ${key} both name the column "${column}": name another one as ${key}, or ` +
            `leave ${key} out`,
    );
  }
  return named;
}

async function openTables(
  files: readonly TableFile[],
  columns: NamedColumns,
  { format = 'auto', separator }: ReadOptions,
): Promise<readonly Table[]> {
  const wanted = columns.map(([, column]) => column);
  const tables: Table[] = [];
  for (const file of files) {
    const table = await openTable(file, { format, wanted, separator });
    for (const [option, column] of columns) checkColumn(table, option, column);
    tables.push(table);
  }
  return tables;
}

async function* readRows(
  split: string,
  tables: readonly Table[],
  { content, label, labelColumns }: RowReaders,
  options: ReadOptions,
  progress: { rows: number },
): AsyncGenerator<readonly DatasetRow[]> {
  const { id } = options;
  const columns = [...content.columns, ...labelColumns, ...(id === undefined ? [] : [id])];
  const labelAt = content.columns.length;
  const idAt = labelAt + labelColumns.length;
  let index = 0;
  let rowsWithContent = 0;
  for (const table of tables) {
    let row = 0;
    for await (const cells of table.scan(columns, options.signal)) {
      const group = cells.map((cell): DatasetRow => {
        const place = { file: table.file, row: ++row };
        const number = index++;
        const rowId = id === undefined ? `${split}-${number}` : idOf(cell[idAt], id, place);
        const found = content.read(cell, place);
        if (found === undefined) options.onRowWithoutText?.(rowId);
        else rowsWithContent += 1;
        return {
          id: rowId,
          ...(found ?? { text: '' }),
          label: label === undefined ? null : label.read(cell.slice(labelAt, idAt), place),
        };
      });
      progress.rows += group.length;
      options.onRows?.(progress.rows);
      yield group;
    }
  }
  const [first] = tables;
  if (first === undefined || rowsWithContent > 0) return;
  throw fileFailure(
    first.file,
    index === 0
      ? `the split "${split}" has no rows: the file holds none; put some into it, or name another one`
      : `no row of the split "${split}" has a text (column "${content.columns[0]}"): name the column ` +
          'of the text',
  );
}

function idOf(cell: Cell = null, column: string, place: RowPlace): string {
  if (cell !== null && typeof cell !== 'object') return String(cell);
  throw fileFailure(
    place.file,
    cell === null
      ? `row ${place.row} has no id (column "${column}"): fill it in, or leave id out`
      : `row ${place.row}: "${column}" is ${describeCell(cell)}: expected a text or a number`,
  );
}
