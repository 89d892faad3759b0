import { Failure } from '../plan/failures.ts';
import type { DatasetRow, RowGroups } from './dataset.ts';
import { openTable } from './formats.ts';
import type { Format } from './formats.ts';
import { LabelSurvey, namedLabels } from './labels.ts';
import type { Labels, RowPlace } from './labels.ts';
import { checkColumn, describeCell, fileFailure } from './tables/table.ts';
import type { Cell, Table, TableFile } from './tables/table.ts';
import { quotedList } from './wording.ts';

/** Which column means what. */
export interface ColumnOptions {
  readonly text: string;
  /** Without it, the dataset has no labels. */
  readonly label?: string;
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
  readonly labels: readonly string[] | null;
  /** Rows in the order of the files, read as they are asked for. */
  readonly splits: { readonly [split: string]: RowGroups };
}

/**
 * Reads the files of each split as one dataset. The files are read twice where labels have to be
 * found out, and never held in memory.
 *
 * @throws InvalidInput, naming file, row and remedy: here, and while rows are read
 */
export async function readDataset(
  files: ReadonlyMap<string, readonly TableFile[]>,
  options: ReadOptions,
): Promise<ReadDataset> {
  checkColumns(options);
  const tables = new Map<string, readonly Table[]>();
  for (const [split, parts] of files) tables.set(split, await openTables(parts, options));
  const labels =
    options.label === undefined
      ? undefined
      : await findLabels([...tables.values()].flat(), options.label, options);
  const progress = { rows: 0 };
  return {
    labels: labels?.names ?? null,
    splits: Object.fromEntries(
      [...tables].map(([split, parts]) => [
        split,
        readRows(split, parts, labels, options, progress),
      ]),
    ),
  };
}

function checkColumns({ text, label, id }: ColumnOptions): void {
  const named = Object.entries({ text, label, id });
  for (const [index, [key, column]] of named.entries()) {
    const [other] = named.slice(0, index).find(([, before]) => before === column) ?? [];
    if (column === undefined || other === undefined) continue;
    throw new Failure(
      'InvalidInput',
      `${other} and ${key} both name the column "${column}": name another one as ${key}, or leave ` +
        `${key} out`,
    );
  }
}

async function openTables(
  files: readonly TableFile[],
  options: ReadOptions,
): Promise<readonly Table[]> {
  const { text, label, id, format = 'auto', separator } = options;
  const keys = { text, label, id };
  const wanted = Object.values(keys).filter((column) => column !== undefined);
  const tables: Table[] = [];
  for (const file of files) {
    const table = await openTable(file, { format, wanted, separator });
    for (const [key, column] of Object.entries(keys)) {
      if (column !== undefined) checkColumn(table, key, column);
    }
    tables.push(table);
  }
  return tables;
}

async function findLabels(
  tables: readonly Table[],
  column: string,
  options: ReadOptions,
): Promise<Labels> {
  if (options.labels !== undefined) return namedLabels(column, options.labels);
  const known = classNamesOf(tables, column);
  if (known !== undefined) return namedLabels(column, known);
  const survey = new LabelSurvey(column);
  for (const table of tables) {
    const beside = `${column}_text`;
    const columns = table.columns.includes(beside) ? [column, beside] : [column];
    let row = 0;
    for await (const rows of table.scan(columns, options.signal)) {
      for (const [cell = null, text = null] of rows) {
        survey.add(cell, text, table.untyped, { file: table.file, row: ++row });
      }
    }
  }
  return survey.finish();
}

/** What `datasets` wrote into the files; every file must say the same. */
function classNamesOf(tables: readonly Table[], column: string): readonly string[] | undefined {
  const [first, ...others] = tables;
  const names = first?.classNames(column);
  for (const table of others) {
    const other = table.classNames(column);
    if (JSON.stringify(names) === JSON.stringify(other)) continue;
    throw fileFailure(
      table.file,
      `its classes are ${shown(other)}, but those of ${first?.file.display} are ${shown(names)}: name a folder or files that belong together, in the source or ` +
        'with splits',
    );
  }
  return names;
}

function shown(names: readonly string[] | undefined): string {
  return names === undefined ? 'unknown' : quotedList(names);
}

async function* readRows(
  split: string,
  tables: readonly Table[],
  labels: Labels | undefined,
  options: ReadOptions,
  progress: { rows: number },
): AsyncGenerator<readonly DatasetRow[]> {
  const { text, label, id } = options;
  const columns = [text, label, id].filter((column) => column !== undefined);
  const at = { label: 1, id: label === undefined ? 1 : 2 };
  let index = 0;
  let rowsWithText = 0;
  for (const table of tables) {
    let row = 0;
    for await (const cells of table.scan(columns, options.signal)) {
      const group = cells.map((cell): DatasetRow => {
        const place = { file: table.file, row: ++row };
        const number = index++;
        const rowId = id === undefined ? `${split}-${number}` : idOf(cell[at.id], id, place);
        const content = textOf(cell[0], text, place);
        if (content === undefined) options.onRowWithoutText?.(rowId);
        else rowsWithText += 1;
        return {
          id: rowId,
          text: content ?? '',
          label: labels === undefined ? null : labels.indexOf(cell[at.label] ?? null, place),
        };
      });
      progress.rows += group.length;
      options.onRows?.(progress.rows);
      yield group;
    }
  }
  const [first] = tables;
  if (first === undefined || rowsWithText > 0) return;
  throw fileFailure(
    first.file,
    index === 0
      ? `the split "${split}" has no rows: the file holds none; put some into it, or name another one`
      : `no row of the split "${split}" has a text (column "${text}"): name the column of the text`,
  );
}

/** The text of a row, undefined where it is missing. */
function textOf(cell: Cell = null, column: string, place: RowPlace): string | undefined {
  if (typeof cell === 'string') return cell;
  if (cell === null) return undefined;
  throw fileFailure(
    place.file,
    `row ${place.row}: "${column}" is ${describeCell(cell)}: expected a text`,
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
