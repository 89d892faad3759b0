import { writeTokenizedSplit, type TokenizedRows } from '../../../data/tokenized-dataset.ts';

/** Writes rows as a training process reads them. @returns the path */
export async function writeRows(path: string, rows: TokenizedRows): Promise<string> {
  const group = rows.ids.map((id, row) => ({
    id,
    inputIds: rows.inputIds.subarray(rows.offsets[row], rows.offsets[row + 1]),
    label: rows.labels?.[row] ?? null,
    values: null,
    completionMask: null,
  }));
  await writeTokenizedSplit(path, [group], {
    label: true,
    valuesPerRow: 0,
    completionMask: false,
  });
  return path;
}
