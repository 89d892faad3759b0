import type { ContentKind, RowContent } from './dataset.ts';
import { readMessages } from './messages.ts';
import { describeCell, fileFailure } from './tables/table.ts';
import type { Cell, RowPlace } from './tables/table.ts';

/** The columns of what a row holds. */
export type ContentColumns =
  | { readonly text: string }
  | { readonly prompt: string; readonly completion: string }
  | { readonly messages: string };

/** How what a row holds is read. */
export interface ContentReader {
  readonly kind: ContentKind;
  readonly columns: readonly string[];
  /**
   * Of the cells of `columns`; undefined for a text that is missing.
   * @throws InvalidInput for anything else that is missing, and for values of another type
   */
  read(cells: readonly Cell[], place: RowPlace): RowContent | undefined;
}

export function contentReader(content: ContentColumns): ContentReader {
  if ('text' in content) {
    const { text } = content;
    return { kind: 'text', columns: [text], read: ([cell], place) => textOf(cell, text, place) };
  }
  if ('messages' in content) {
    const { messages: column } = content;
    return {
      kind: 'messages',
      columns: [column],
      read: ([cell = null], place) => ({ messages: readMessages(cell, column, place) }),
    };
  }
  const { prompt, completion } = content;
  return {
    kind: 'completion',
    columns: [prompt, completion],
    read: ([first, second], place) => ({
      prompt: partOf(first, 'prompt', prompt, place),
      completion: partOf(second, 'completion', completion, place),
    }),
  };
}

function textOf(cell: Cell = null, column: string, place: RowPlace): RowContent | undefined {
  if (typeof cell === 'string') return { text: cell };
  if (cell === null) return undefined;
  throw noText(cell, column, place);
}

/** A prompt or a completion, which cannot be empty: there would be nothing to learn, or from. */
function partOf(
  cell: Cell = null,
  part: 'prompt' | 'completion',
  column: string,
  place: RowPlace,
): string {
  if (typeof cell === 'string' && cell !== '') return cell;
  if (cell !== null && cell !== '') throw noText(cell, column, place);
  throw fileFailure(
    place.file,
    `row ${place.row} has no ${part} (column "${column}"): fill it in, or remove the row`,
  );
}

function noText(cell: Cell, column: string, { file, row }: RowPlace): Error {
  return fileFailure(file, `row ${row}: "${column}" is ${describeCell(cell)}: expected a text`);
}
