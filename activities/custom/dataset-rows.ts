import { z } from 'zod';
import type { DatasetRow, DatasetShape } from '../../data/dataset.ts';
import { Failure } from '../../plan/failures.ts';
import type { Rows } from './custom-context.ts';
import { describeValue, schemaProblems } from '../schema-problems.ts';

const GROUP_ROWS = 1024;

/**
 * Rows that a kind of one's own made, in groups.
 * @throws Failure InvalidInput for the first that does not fit the shape
 */
export async function* checkedRows(
  split: string,
  rows: Rows,
  shape: DatasetShape,
): AsyncGenerator<readonly DatasetRow[]> {
  const schema = rowSchema(shape);
  let group: DatasetRow[] = [];
  let number = 0;
  for await (const row of rows) {
    number += 1;
    const problem = rowProblem(row, schema);
    if (problem !== undefined) throw unfit(`row ${number} of the split "${split}": ${problem}`);
    group.push(row);
    if (group.length < GROUP_ROWS) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}

function rowProblem(row: unknown, schema: z.ZodObject): string | undefined {
  if (typeof row !== 'object' || row === null) {
    return `found ${describeValue(row)}; expected an object with ${Object.keys(schema.shape).join(', ')}`;
  }
  return schema.safeParse(row).success ? undefined : schemaProblems(schema, row)[0];
}

/** @throws Failure InvalidInput for a shape that no dataset has */
function rowSchema({ content, labelKind, labels }: DatasetShape): z.ZodObject {
  const classes = labels?.length ?? 0;
  if (labelKind !== null && labelKind !== 'number' && classes === 0) {
    throw unfit(`the rows have labels of the kind '${labelKind}', but 'labels' names no class`);
  }
  const index = z
    .int()
    .min(0)
    .max(classes - 1);
  const label = {
    class: () => index,
    classes: () => z.array(index),
    number: () => z.array(z.number()).min(1),
    none: () => z.null(),
  }[labelKind ?? 'none']();
  return z.strictObject({ id: z.string(), ...CONTENTS[content], label });
}

const text = z.string();
const part = z.string().min(1);
const message = z.looseObject({ role: z.string().min(1) });

const CONTENTS = {
  text: { text },
  completion: { prompt: part, completion: part },
  messages: { messages: z.array(message).min(1) },
} as const satisfies Record<DatasetShape['content'], z.ZodRawShape>;

function unfit(message: string): Failure {
  return new Failure('InvalidInput', message);
}
