import { z } from 'zod';
import { artifact, defineStep, notBuilt } from '../language/step-declaration.ts';
import type { StepContext } from './step-context.ts';

const inputs = z.strictObject({
  dataset: artifact('dataset').describe('the rows to tokenize, all splits of it'),
  tokenizer: artifact('model').describe('the model whose tokenizer to use'),
  truncation: z.boolean().default(true).describe('cut rows that are longer than max_length'),
  max_length: z
    .int()
    .positive()
    .optional()
    .describe("longest row, in tokens; without it the tokenizer's own limit"),
  padding: z
    .literal('none', { error: "only 'none' is built: training packs rows and needs no padding" })
    .default('none')
    .describe('rows are packed when they are used, so nothing is padded'),
  pad_token: z
    .string()
    .min(1)
    .optional()
    .describe(
      "token that becomes the model's pad_token_id; `eos` stands for the end-of-sequence token; without it the tokenizer's own",
    ),
  chat_template: notBuilt(),
});

export const tokenize = defineStep({
  kind: 'tokenize',
  version: 1,
  revision: 3,
  effect: 'pure',
  role: 'work',
  summary: "Turn texts into token ids with a model's tokenizer.",
  with: inputs,
  outputs: {
    dataset: artifact('tokenized-dataset').describe('token ids and labels, by split'),
    tokens: z.int().describe('tokens of all rows, after truncation'),
    truncated: z.int().describe('rows that were longer than the limit'),
  },
  async run(context: StepContext, given) {
    const { tokenizeDataset } = await import('../data/tokenize.ts');
    const { store, signal, temporaryDirectory: directory } = context;
    const { truncation, max_length: maxLength, pad_token: padToken } = given;
    const options = {
      truncation,
      ...(maxLength !== undefined && { maxLength }),
      ...(padToken !== undefined && { padToken }),
    };
    return tokenizeDataset(store, given, options, {
      ...{ directory, signal },
      onProgress: ({ rows, totalRows }) =>
        context.progress({ phase: 'tokenizing', step: rows, max_steps: totalRows }),
    });
  },
});
