import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import type { DatasetRow, DatasetShape, RowLabel } from '../../data/dataset.ts';
import { readDataset } from '../../data/read-dataset.ts';
import type { ReadOptions } from '../../data/read-dataset.ts';
import type { TableFile } from '../../data/tables/table.ts';
import { storeTest } from './temporary-store.ts';

export type Row = readonly [id: string, text: string, label: RowLabel];

/** What a set of files reads as: label names, and the rows of each split. */
export async function read(
  files: Readonly<Record<string, readonly TableFile[]>>,
  options: Partial<ReadOptions> = {},
): Promise<{ labels: readonly string[] | null; splits: Record<string, Row[]> }> {
  const { shape, splits } = await readRows(files, options);
  const rows = Object.entries(splits).map(([split, all]): [string, Row[]] => [
    split,
    all.map((row) => [row.id, textOf(row), row.label]),
  ]);
  return { labels: shape.labels, splits: Object.fromEntries(rows) };
}

/** What a set of files reads as, whole. */
export async function readRows(
  files: Readonly<Record<string, readonly TableFile[]>>,
  options: Partial<ReadOptions> = {},
): Promise<{ shape: DatasetShape; splits: Record<string, DatasetRow[]> }> {
  const dataset = await readDataset(new Map(Object.entries(files)), {
    content: { text: 'text' },
    ...options,
  });
  const splits: Record<string, DatasetRow[]> = {};
  for (const [split, groups] of Object.entries(dataset.splits)) {
    const rows: DatasetRow[] = (splits[split] = []);
    for await (const group of groups) rows.push(...group);
  }
  return { shape: dataset.shape, splits };
}

function textOf(row: DatasetRow): string {
  if ('text' in row) return row.text;
  throw new Error(`row ${row.id} has no text`);
}

/** Writes a file, and names it as a person would. */
export async function file(
  folder: string,
  name: string,
  content: string | Uint8Array,
): Promise<TableFile> {
  const path = join(folder, name);
  await writeFile(path, content);
  return { path, display: `file:${name}` };
}

export function fixture(name: string): TableFile {
  const path = fileURLToPath(new URL(`../fixtures/data/tables/${name}`, import.meta.url));
  return { path, display: `file:${name}` };
}

/** A file, and what is said when it is read. */
export interface Refusal {
  readonly name: string;
  readonly content: string | Uint8Array;
  readonly options?: Partial<ReadOptions>;
  readonly message: string;
}

/** One test for each refusal. */
export function testRefusals(refusals: Readonly<Record<string, Refusal>>): void {
  storeTest.for(Object.entries(refusals))(
    'refuses %s',
    async ([, { name, content, options, message }], { folder }) => {
      const train = [await file(folder, name, content)];
      await expect(readRows({ train }, options)).rejects.toMatchObject({
        type: 'InvalidInput',
        message,
      });
    },
  );
}
