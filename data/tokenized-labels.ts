/** Labels of a dataset as a tokenized one has them. */
import type { DatasetRow, DatasetSplit } from './dataset.ts';
import type { TokenizedColumns, TokenizedRow } from './tokenized-dataset.ts';

/** The columns of a split's rows. */
export function columnsOf(split: DatasetSplit): TokenizedColumns {
  const { labelKind, labels, content } = split.shape;
  const [first] = split.select([0]);
  const numbers = Array.isArray(first?.label) ? first.label.length : 0;
  return {
    label: labelKind === 'class',
    valuesPerRow: labelKind === 'classes' ? (labels?.length ?? 0) : numbers,
    completionMask: content !== 'text',
  };
}

/** A class as it is, several as one number a class, numbers in single precision. */
export function labelOf(
  { label }: DatasetRow,
  { shape }: DatasetSplit,
): Pick<TokenizedRow, 'label' | 'values'> {
  if (!Array.isArray(label)) return { label: label as number | null, values: null };
  if (shape.labelKind === 'number') return { label: null, values: Float32Array.from(label) };
  const values = new Float32Array(shape.labels?.length ?? 0);
  for (const index of label as readonly number[]) values[index] = 1;
  return { label: null, values };
}
