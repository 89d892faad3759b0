/** Labels that are values of their own: numbers to predict, and one column of 0 or 1 a class. */
import { noLabel, withheld } from './class-labels.ts';
import type { LabelReader } from './labels.ts';
import { describeCell, fileFailure, itemsOf } from './tables/table.ts';
import type { Cell, RowPlace } from './tables/table.ts';
import { counted } from './wording.ts';

/** Numbers to predict: one a column, or those of a list. Every row has as many. */
export function numberReader(columns: readonly string[]): LabelReader {
  let first: { readonly count: number; readonly place: RowPlace } | undefined;
  return {
    kind: 'number',
    names: null,
    read: (cells, place) => {
      const numbers = cells.flatMap((cell, index) => {
        const column = columns[index] as string;
        return (itemsOf(cell) ?? [cell]).map((item) => numberOf(item, column, place));
      });
      first ??= { count: numbers.length, place };
      if (numbers.length === first.count && first.count > 0) return numbers;
      throw fileFailure(
        place.file,
        first.count === 0
          ? `row ${place.row}: "${columns[0]}" is an empty list: expected a number to predict`
          : `row ${place.row} has ${counted(numbers.length, 'number')} to predict, but row ` +
              `${first.place.row} of ${first.place.file.display} has ${first.count}: give every row as many`,
      );
    },
  };
}

function numberOf(cell: Cell, column: string, place: RowPlace): number {
  if (cell === null) throw noLabel(column, place);
  const value = typeof cell === 'string' && cell.trim() !== '' ? Number(cell) : cell;
  const number = typeof value === 'bigint' ? Number(value) : value;
  if (typeof number === 'number' && Number.isFinite(Math.fround(number))) return number;
  throw fileFailure(
    place.file,
    `row ${place.row}: "${column}" is ${describeCell(cell)}, no number to predict: expected a ` +
      (typeof number === 'number' && Number.isFinite(number)
        ? 'number that single precision holds, at most 3.4e38'
        : 'number; fill it in or remove the row'),
  );
}

/** Columns that each stand for a class, of its name, which a row has (1) or not (0). */
export function flagReader(columns: readonly string[]): LabelReader {
  return {
    kind: 'classes',
    names: columns,
    read: (cells, place) =>
      columns.flatMap((column, index) =>
        flagOf(cells[index] ?? null, column, place) ? [index] : [],
      ),
  };
}

function flagOf(cell: Cell, column: string, place: RowPlace): boolean {
  switch (typeof cell === 'string' ? cell.toLowerCase() : cell) {
    case 1:
    case '1':
    case true:
    case 'true':
      return true;
    case 0:
    case '0':
    case false:
    case 'false':
      return false;
    case null:
      throw noLabel(column, place);
    case -1:
    case '-1':
      throw withheld(column, cell, place);
    default:
      throw fileFailure(
        place.file,
        `row ${place.row}: "${column}" is ${describeCell(cell)}: expected 1 (the row has this class) ` +
          'or 0; or set label_kind: number',
      );
  }
}
