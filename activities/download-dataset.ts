import { z } from 'zod';
import { artifact, defineStep, notBuilt, schemaFacts } from '../language/step-declaration.ts';
import type { StepContext } from './step-context.ts';

const column = z.string().min(1);

const inputs = z.strictObject({
  source: z
    .string()
    .min(1)
    .register(schemaFacts, { example: 'file:data.jsonl' })
    .describe(
      'file:PATH (a file or a folder, relative to $RETUNE_DATA_ROOT), https://URL, or hf://datasets/OWNER/NAME[@REVISION][/PATH]',
    ),
  format: z
    .enum(['auto', 'parquet', 'csv', 'tsv', 'jsonl', 'json', 'arrow'])
    .default('auto')
    .describe('of the files; auto: by their extension'),
  text: column.default('text').describe('column of the text'),
  label: column
    .optional()
    .describe('column of the label, names or integers; without it the dataset has no labels'),
  id: column.optional().describe('column of the row id; without it rows are called SPLIT-INDEX'),
  splits: z
    .record(z.string(), z.union([z.string(), z.array(z.string())]))
    .optional()
    .describe("files of each split; without it by their names, as Hugging Face's datasets does"),
  prompt: notBuilt(),
  completion: notBuilt(),
  messages: notBuilt(),
});

export const downloadDataset = defineStep({
  kind: 'download-dataset',
  version: 1,
  revision: 2,
  effect: 'source',
  role: 'work',
  summary: 'Get a dataset from files, a web server or the Hugging Face Hub, by named columns.',
  with: inputs,
  outputs: {
    dataset: artifact('dataset').describe('the rows, by split'),
    rows: z.int().describe('rows of all splits'),
    labels: z
      .array(z.string())
      .describe('names of the classes, in the order of their indices; empty without labels'),
    revision: z.string().describe('what upstream calls the version that was read'),
  },
  async resolve(context: StepContext, { source }) {
    const { resolveSource } = await import('../data/sources/sources.ts');
    const { env, signal } = context;
    return (await resolveSource(source, 'dataset', { env, signal })).revision;
  },
  async run(context: StepContext, { source, format, text, label, id, splits }) {
    const { downloadDataset: download } = await import('../data/download-dataset.ts');
    const { store, env, signal, upstream, temporaryDirectory: directory } = context;
    const resolved = { source, revision: z.string().parse(upstream) };
    const options = {
      ...{ format, text },
      ...(label !== undefined && { label }),
      ...(id !== undefined && { id }),
      ...(splits !== undefined && { splits }),
    };
    const result = await download(store, resolved, options, {
      ...{ env, signal, directory },
      onProgress: (progress) =>
        context.progress(
          progress.phase === 'fetch'
            ? { phase: `fetching ${progress.file}`, bytes: progress.receivedBytes }
            : { phase: 'reading rows', rows: progress.rows },
        ),
    });
    const { dataset, rows, labels, revision, rowsWithoutText } = result;
    const [first] = rowsWithoutText;
    if (first !== undefined) {
      context.note(`${rowsWithoutText.length} of ${rows} rows have no text, row ${first} first`);
    }
    return { dataset, rows, labels: [...(labels ?? [])], revision };
  },
});
