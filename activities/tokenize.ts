import { z } from 'zod';
import { artifact, defineStep } from '../language/step-declaration.ts';
import type { StepContext } from './step-context.ts';

const inputs = z
  .strictObject({
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
      .describe('rows are packed, or padded, when they are used'),
    pad_token: z
      .string()
      .min(1)
      .optional()
      .describe(
        "token that becomes the model's pad_token_id; `eos` stands for the end-of-sequence token; without it the tokenizer's own",
      ),
    chat_template: z
      .string()
      .min(1)
      .refine((text) => !text.startsWith('file:'), {
        error:
          'expected the text of a template, not the name of a file, whose content could change unnoticed: write the template here, after chat_template: |, or put it as chat_template.jinja beside the tokenizer',
      })
      .optional()
      .describe(
        "for messages: text of a Jinja template, in place of the tokenizer's own; with `{% generation %}` around what the assistant writes, or one that writes every turn the same way as the conversation goes on",
      ),
    block_size: z
      .int()
      .min(2)
      .optional()
      .describe(
        'for language modelling on texts: all texts of a split, in their order and each with the end-of-sequence token after it, cut into rows of so many tokens; labels are left out',
      ),
  })
  .refine(({ block_size, max_length }) => block_size === undefined || max_length === undefined, {
    path: ['max_length'],
    error: 'max_length cuts rows, and block_size makes all of them as long: leave one of them out',
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
    dataset: artifact('tokenized-dataset').describe('token ids, labels and masks, by split'),
    tokens: z.int().describe('tokens of all rows, after truncation'),
    truncated: z.int().describe('rows that were longer than the limit'),
    dropped: z
      .int()
      .describe('rows left out, because nothing of their completion is within the limit'),
  },
  async run(context: StepContext, given) {
    const { tokenizeDataset } = await import('../data/tokenize.ts');
    const { store, signal, temporaryDirectory: directory } = context;
    const { truncation, max_length: maxLength, pad_token: padToken } = given;
    const { chat_template: chatTemplate, block_size: blockSize } = given;
    const settings = {
      truncation,
      ...(maxLength !== undefined && { maxLength }),
      ...(padToken !== undefined && { padToken }),
      ...(chatTemplate !== undefined && { chatTemplate }),
      ...(blockSize !== undefined && { blockSize }),
    };
    const result = await tokenizeDataset(store, given, settings, {
      ...{ directory, signal },
      onProgress: ({ rows, totalRows }) =>
        context.progress({ phase: 'tokenizing', step: rows, max_steps: totalRows }),
    });
    const { dataset, tokens, truncated, dropped, mergedPrompts } = result;
    const [first] = dropped;
    if (first !== undefined) {
      context.note(
        `rows left out: ${dropped.length}, ${first} first: nothing of their completion is within max_length`,
      );
    }
    if (mergedPrompts > 0) {
      context.note(
        `rows in which one token holds the end of the prompt and the beginning of the completion: ` +
          `${mergedPrompts}: let completions begin with the space between them, or prompts end with a line break`,
      );
    }
    return { dataset, tokens, truncated, dropped: dropped.length };
  },
});
