import { INTEGER } from './class-labels.ts';
import type { LabelKind } from './dataset.ts';
import { describeCell, fileFailure, itemsOf } from './tables/table.ts';
import type { Cell, RowPlace, Table } from './tables/table.ts';

const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/**
 * What a label is, by its values: lists are several classes; numbers of which one has a fraction
 * are numbers to predict, in lists and in files of texts too; everything else is one class. Of
 * several columns each is a class that a row has or not, unless one has a fraction.
 *
 * @throws InvalidInput for a file of texts that holds both fractions and words
 */
export async function findLabelKind(
  tables: readonly Table[],
  columns: readonly string[],
  signal: AbortSignal | undefined,
): Promise<LabelKind> {
  const survey = new KindSurvey(columns);
  for (const table of tables) {
    let row = 0;
    for await (const rows of table.scan(columns, signal)) {
      for (const cells of rows) {
        survey.add(cells, table.untyped, { file: table.file, row: ++row });
        if (survey.decided !== undefined) return survey.decided;
      }
    }
  }
  return survey.finish();
}

class KindSurvey {
  /** Set once no further row can change the answer. */
  decided: LabelKind | undefined;
  readonly #columns: readonly string[];
  #hasLists = false;
  /** Of a file of texts: the first cell with a fraction, and the first that is no number. */
  #fraction: FoundText | undefined;
  #word: FoundText | undefined;

  constructor(columns: readonly string[]) {
    this.#columns = columns;
  }

  add(cells: readonly Cell[], untyped: boolean, place: RowPlace): void {
    for (const [index, cell] of cells.entries()) {
      const items = itemsOf(cell);
      this.#hasLists ||= items !== undefined;
      for (const item of items ?? [cell]) {
        if (typeof item === 'number' && !Number.isInteger(item)) this.decided = 'number';
        if (typeof item !== 'string') continue;
        if (!untyped) this.decided ??= this.#withoutFractions();
        else this.#addText({ text: item, place, column: this.#columns[index] as string });
      }
    }
  }

  finish(): LabelKind {
    if (this.#fraction === undefined) return this.#withoutFractions();
    if (this.#word === undefined) return 'number';
    const { text, place, column } = this.#word;
    throw fileFailure(
      place.file,
      `row ${place.row}: "${column}" is ${describeCell(text)}, but row ${this.#fraction.place.row} ` +
        `holds the number ${this.#fraction.text}: correct it, or set label_kind: number or class`,
    );
  }

  #addText(found: FoundText): void {
    if (INTEGER.test(found.text)) return;
    if (DECIMAL.test(found.text)) this.#fraction ??= found;
    else this.#word ??= found;
  }

  #withoutFractions(): LabelKind {
    return this.#hasLists || this.#columns.length > 1 ? 'classes' : 'class';
  }
}

interface FoundText {
  readonly text: string;
  readonly place: RowPlace;
  readonly column: string;
}
