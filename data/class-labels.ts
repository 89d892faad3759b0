import type { Failure } from '../plan/failures.ts';
import { byCodePoint } from './sources/source.ts';
import { describeCell, fileFailure } from './tables/table.ts';
import type { Cell, RowPlace } from './tables/table.ts';
import { didYouMean, quotedList } from './wording.ts';

/** More classes than this, and the column is no label. */
const MAXIMUM_LABELS = 10_000;
export const INTEGER = /^(0|-?[1-9]\d*)$/;

/** The names of a dataset's classes, and the index that a cell stands for. */
export interface ClassLabels {
  readonly names: readonly string[];
  /** @throws InvalidInput for a value that is no class */
  indexOf(cell: Cell, place: RowPlace): number;
}

/**
 * Reads the values of a label column, to find out the classes:
 * - integers are class indices, named by the text column beside them when that maps one to one,
 *   else by their digits; so is text that is all integers, where a format knows nothing but text;
 * - other texts are sorted by code point, as `class_encode_column` of `datasets` does.
 */
export class ClassSurvey {
  readonly #column: string;
  /** Class indices, each with the first two of its texts. */
  readonly #integers = new Map<number, Set<string>>();
  readonly #texts = new Set<string>();
  #firstNumber: RowPlace | undefined;
  #firstText: RowPlace | undefined;

  constructor(column: string) {
    this.#column = column;
  }

  /**
   * Takes in one row.
   * @param beside the cell of the column that may name the class
   * @param untyped whether the format knows nothing but text
   * @throws InvalidInput for a missing label, or one that cannot be a class
   */
  add(cell: Cell, beside: Cell, untyped: boolean, place: RowPlace): void {
    const value = labelValue(this.#column, cell, place);
    if (typeof value === 'number') {
      this.#addInteger(value, beside, place);
      this.#firstNumber ??= place;
    } else if (untyped && INTEGER.test(value)) {
      this.#addInteger(Number(value), beside, place);
    } else {
      this.#texts.add(value);
      this.#firstText ??= place;
    }
    if (this.#integers.size + this.#texts.size > MAXIMUM_LABELS) {
      throw fileFailure(
        place.file,
        `the column "${this.#column}" has more than ${MAXIMUM_LABELS} different values: it is no ` +
          'label; name another column, or none',
      );
    }
  }

  /** @throws InvalidInput when the column holds both numbers and text */
  finish(): ClassLabels {
    if (this.#texts.size === 0) {
      return namedLabels(this.#column, namesOfIntegers(this.#integers), false);
    }
    if (this.#firstNumber !== undefined && this.#firstText !== undefined) {
      const { file, row } = this.#firstText;
      throw fileFailure(
        file,
        `row ${row} has a text as "${this.#column}", but row ${this.#firstNumber.row} of ` +
          `${this.#firstNumber.file.display} has a number: make all of them texts, or all numbers`,
      );
    }
    const names = [...this.#texts, ...[...this.#integers.keys()].map(String)];
    return namedLabels(this.#column, names.sort(byCodePoint), true);
  }

  #addInteger(value: number, beside: Cell, place: RowPlace): void {
    if (value >= MAXIMUM_LABELS) {
      throw notAClass(this.#column, value, place, `expected 0 to ${MAXIMUM_LABELS - 1}`);
    }
    const texts = this.#integers.get(value) ?? new Set();
    if (typeof beside === 'string' && texts.size < 2) texts.add(beside);
    this.#integers.set(value, texts);
  }
}

/**
 * Labels whose names are known: integers are their indices, texts are names.
 * @param digitsAreNames whether a text of digits is a name, not an index. Default: when one of the
 * names looks like that.
 */
export function namedLabels(
  column: string,
  names: readonly string[],
  digitsAreNames = names.some((name) => INTEGER.test(name)),
): ClassLabels {
  const indices = new Map(names.map((name, index) => [name, index]));
  return {
    names,
    indexOf: (cell, place) => {
      const value = labelValue(column, cell, place);
      const isIndex = typeof value === 'number' || (!digitsAreNames && INTEGER.test(value));
      const index = isIndex ? Number(value) : indices.get(value);
      if (index !== undefined && index >= 0 && index < names.length) return index;
      if (index === -1) throw withheld(column, cell, place);
      const expected = isIndex
        ? `0 to ${names.length - 1}`
        : `one of ${quotedList(names)}${didYouMean(value, names)}`;
      throw notAClass(column, cell, place, `expected ${expected}`);
    },
  };
}

/** By index: the one text of each class, when all have one and no two the same; else digits. */
function namesOfIntegers(integers: ReadonlyMap<number, ReadonlySet<string>>): readonly string[] {
  const length = Math.max(-1, ...integers.keys()) + 1;
  const texts = [...integers.values()].flatMap((set) => [...set]);
  const oneToOne =
    [...integers.values()].every((set) => set.size === 1) && new Set(texts).size === integers.size;
  return Array.from({ length }, (_, index) => {
    const [text] = oneToOne ? (integers.get(index) ?? []) : [];
    return text ?? String(index);
  });
}

function labelValue(column: string, cell: Cell, place: RowPlace): number | string {
  switch (typeof cell) {
    case 'string':
      return cell;
    case 'boolean':
      return String(cell);
    case 'number':
      if (Number.isInteger(cell) && cell >= 0) return cell;
      if (cell === -1) throw withheld(column, cell, place);
      throw notAClass(column, cell, place, 'expected an integer from 0, or a text');
    default:
      if (cell !== null) throw notAClass(column, cell, place, 'expected an integer or a text');
      throw noLabel(column, place);
  }
}

export function noLabel(column: string, { file, row }: RowPlace): Failure {
  return fileFailure(
    file,
    `row ${row} has no label (column "${column}"): fill it in, or remove the row`,
  );
}

export function withheld(column: string, cell: Cell, { file, row }: RowPlace): Failure {
  return fileFailure(
    file,
    `row ${row}: "${column}" is ${describeCell(cell)}, which stands for a withheld label: leave such ` +
      'a split out with splits, or number the classes from 0',
  );
}

function notAClass(column: string, cell: Cell, { file, row }: RowPlace, expected: string): Failure {
  const found = describeCell(cell);
  return fileFailure(file, `row ${row}: "${column}" is ${found}, no class: ${expected}`);
}
