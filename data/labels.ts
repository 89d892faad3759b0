import { Failure } from '../plan/failures.ts';
import { ClassSurvey, namedLabels } from './class-labels.ts';
import type { ClassLabels } from './class-labels.ts';
import type { LabelKind, RowLabel } from './dataset.ts';
import { findLabelKind } from './label-kind.ts';
import { flagReader, numberReader } from './label-values.ts';
import { describeCell, fileFailure, itemsOf } from './tables/table.ts';
import type { Cell, RowPlace, Table } from './tables/table.ts';
import { quotedList } from './wording.ts';

/** Which columns are the label, and what they mean. */
export interface LabelOptions {
  /** One column, or several: one a class (0 or 1), or one a number to predict. */
  readonly columns: readonly string[];
  readonly kind: LabelKind | 'auto';
  /** Names of the classes, in the order of their indices. Default: found in the data. */
  readonly names?: readonly string[];
}

/** How the label of a row is read. */
export interface LabelReader {
  readonly kind: LabelKind;
  /** Names of the classes, in the order of their indices; null for numbers. */
  readonly names: readonly string[] | null;
  /**
   * The label of a row, of the cells of the label's columns.
   * @throws InvalidInput for a value that is no label
   */
  read(cells: readonly Cell[], place: RowPlace): RowLabel;
}

/**
 * Finds out what the label is and which classes there are, reading the columns where the files do
 * not say.
 *
 * @throws InvalidInput, naming file, row and remedy
 */
export async function findLabels(
  tables: readonly Table[],
  options: LabelOptions,
  signal: AbortSignal | undefined,
): Promise<LabelReader> {
  const { columns } = options;
  const kind =
    options.kind === 'auto' ? await findLabelKind(tables, columns, signal) : options.kind;
  if (kind === 'number') return numberReader(columns);
  const [column, ...others] = columns as readonly [string, ...string[]];
  if (others.length > 0 && kind === 'classes') return flagReader(columns);
  if (others.length > 0) {
    throw new Failure(
      'InvalidInput',
      `label names ${columns.length} columns, and label_kind: class needs one: name one column, or ` +
        'set label_kind: classes (columns of 0 and 1) or number',
    );
  }
  const known = options.names ?? classNamesOf(tables, column);
  const labels =
    known === undefined
      ? await surveyClasses(tables, column, kind, signal)
      : namedLabels(column, known);
  return kind === 'class' ? classReader(labels) : listReader(column, labels);
}

function classReader(labels: ClassLabels): LabelReader {
  return {
    kind: 'class',
    names: labels.names,
    read: ([cell = null], place) => labels.indexOf(cell, place),
  };
}

/** Lists of names or of indices. */
function listReader(column: string, labels: ClassLabels): LabelReader {
  return {
    kind: 'classes',
    names: labels.names,
    read: ([cell = null], place) => {
      const indices = listOf(column, cell, place).map((item) => labels.indexOf(item, place));
      return [...new Set(indices)].sort((a, b) => a - b);
    },
  };
}

/** An empty list is a row that has none of the classes. */
function listOf(column: string, cell: Cell, { file, row }: RowPlace): readonly Cell[] {
  const items = itemsOf(cell);
  if (items !== undefined) return items;
  throw fileFailure(
    file,
    `row ${row}: "${column}" is ${describeCell(cell)}: expected a list of classes, which may be ` +
      'empty; or set label_kind: class',
  );
}

async function surveyClasses(
  tables: readonly Table[],
  column: string,
  kind: 'class' | 'classes',
  signal: AbortSignal | undefined,
): Promise<ClassLabels> {
  const survey = new ClassSurvey(column);
  for (const table of tables) {
    const beside = `${column}_text`;
    const columns =
      kind === 'class' && table.columns.includes(beside) ? [column, beside] : [column];
    let row = 0;
    for await (const rows of table.scan(columns, signal)) {
      for (const [cell = null, text = null] of rows) {
        const place = { file: table.file, row: ++row };
        const cells = kind === 'class' ? [cell] : listOf(column, cell, place);
        for (const item of cells) survey.add(item, text, table.untyped, place);
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
