import { z } from 'zod';
import type { ContentColumns } from '../data/row-content.ts';
import { artifact, credential, defineStep, schemaFacts } from '../language/step-declaration.ts';
import type { StepContext } from './step-context.ts';

const column = z.string().min(1);

const inputs = z
  .strictObject({
    source: z
      .string()
      .min(1)
      .register(schemaFacts, { example: 'file:data.jsonl' })
      .describe(
        'file:PATH (a file or a folder, relative to $RETUNE_DATA_ROOT), https://URL, or hf://datasets/OWNER/NAME[@REVISION][/PATH]',
      ),
    token: credential('HF_TOKEN')
      .optional()
      .describe(
        'shown to the server of an https: source or, in place of `HF_TOKEN`, to the Hub; to no other',
      ),
    format: z
      .enum(['auto', 'parquet', 'csv', 'tsv', 'jsonl', 'json', 'arrow'])
      .default('auto')
      .describe('of the files; auto: by their extension'),
    text: column
      .optional()
      .describe('column of the text; `text` where neither prompt nor messages is named'),
    prompt: column
      .optional()
      .describe(
        'column of the prompt, for language modelling: the loss counts the completion alone',
      ),
    completion: column.optional().describe('column of the completion that follows the prompt'),
    messages: column
      .optional()
      .describe(
        'column of conversations, for language modelling: lists of `{role, content}`, or the JSON of such a list; the loss counts what the assistant writes',
      ),
    label: z
      .union([column, z.array(column).min(1)])
      .optional()
      .describe('column of the label, or several columns; without it the dataset has no labels'),
    label_kind: z
      .enum(['auto', 'class', 'classes', 'number'])
      .default('auto')
      .describe(
        'class: one of several, by name or integer; classes: any number of them, as a list in one column, or as several columns of 0 and 1; number: what a regression predicts, one or several; auto: lists and several columns are classes, numbers with fractions are number, the rest class',
      ),
    id: column.optional().describe('column of the row id; without it rows are called SPLIT-INDEX'),
    splits: z
      .record(z.string(), z.union([z.string(), z.array(z.string())]))
      .optional()
      .describe("files of each split; without it by their names, as Hugging Face's datasets does"),
  })
  .refine(({ prompt, completion }) => prompt === undefined || completion !== undefined, {
    path: ['completion'],
    error:
      'prompt names the column of the prompts, but nothing that of the completions: add completion',
  })
  .refine(({ prompt, completion }) => completion === undefined || prompt !== undefined, {
    path: ['prompt'],
    error:
      'completion names the column of the completions, but nothing that of the prompts: add prompt',
  })
  .refine(({ text, prompt }) => text === undefined || prompt === undefined, {
    path: ['prompt'],
    error: 'a row is a text, or a prompt with its completion: leave text or prompt out',
  })
  .refine(
    ({ messages, text, prompt }) => messages === undefined || (text ?? prompt) === undefined,
    {
      path: ['messages'],
      error:
        'a row is messages, or a text, or a prompt with its completion: leave messages or the others out',
    },
  )
  .refine(
    ({ label, prompt, messages }) => label === undefined || (prompt ?? messages) === undefined,
    {
      path: ['label'],
      error: 'label is of texts to classify: leave it out beside prompt or messages',
    },
  );

/** The columns of what a row holds. */
function contentOf({
  text = 'text',
  prompt,
  completion,
  messages,
}: z.output<typeof inputs>): ContentColumns {
  if (messages !== undefined) return { messages };
  return prompt === undefined || completion === undefined ? { text } : { prompt, completion };
}

export const downloadDataset = defineStep({
  kind: 'download-dataset',
  version: 1,
  revision: 3,
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
  async resolve({ env, signal }: StepContext, { source, token }) {
    const { resolveSource } = await import('../data/sources/sources.ts');
    const options = { env, signal, ...(token !== undefined && { token }) };
    return (await resolveSource(source, 'dataset', options)).revision;
  },
  async run(context: StepContext, given) {
    const { downloadDataset: download } = await import('../data/download-dataset.ts');
    const { store, env, signal, upstream, temporaryDirectory: directory } = context;
    const { source, token, format, label, label_kind: labelKind, id, splits } = given;
    const resolved = { source, revision: z.string().parse(upstream) };
    const options = {
      ...{ format, labelKind, content: contentOf(given) },
      ...(label !== undefined && { label }),
      ...(id !== undefined && { id }),
      ...(splits !== undefined && { splits }),
    };
    const result = await download(store, resolved, options, {
      ...{ env, signal, directory },
      ...(token !== undefined && { token }),
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
