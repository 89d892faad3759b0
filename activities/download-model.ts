import { z } from 'zod';
import { artifact, credential, defineStep, schemaFacts } from '../language/step-declaration.ts';
import type { StepContext } from './step-context.ts';

const inputs = z
  .strictObject({
    source: z
      .string()
      .min(1)
      .register(schemaFacts, { example: 'hf://OWNER/NAME' })
      .optional()
      .describe(
        'hf://OWNER/NAME[@REVISION], registry:NAME[@ALIAS or @VERSION] of a model that was registered, or file:PATH of a Hugging Face folder, or of a folder with config.json, model.onnx and tokenizer.json, or of an .onnx file (with tokenizer); without it a fresh model is made from config, seed and tokenizer',
      ),
    token: credential('HF_TOKEN')
      .optional()
      .describe('shown to the Hub, in place of `HF_TOKEN`, for the hf:// sources here'),
    config: z
      .union([z.string().min(1), z.record(z.string(), z.json())])
      .default({})
      .describe(
        "keys that override the source's config.json (num_labels, attn_pdrop, ...), or for a fresh model all that differ from the defaults of its model_type (gpt2, bert, distilbert, roberta; gpt2 when left out); or a file: or hf:// source of a config.json",
      ),
    tokenizer: z
      .string()
      .min(1)
      .optional()
      .describe("file: or hf:// source of tokenizer.json; without it the source's own"),
    ignore_mismatched_sizes: z
      .boolean()
      .optional()
      .describe(
        "true: parts of the source's head that have other shapes than config says (another num_labels) are left out, and train creates them from its seed",
      ),
    seed: z.int().nonnegative().optional().describe('of the random weights of a fresh model'),
  })
  .refine(({ source, tokenizer }) => source !== undefined || tokenizer !== undefined, {
    path: ['source'],
    error: "missing: a fresh model needs a tokenizer, such as 'file:my-model'; or give a source",
  })
  .refine(({ source, seed }) => source === undefined || seed === undefined, {
    path: ['seed'],
    error: 'only for a fresh model: remove it, or remove source',
  })
  .refine(
    ({ source, ignore_mismatched_sizes }) => source !== undefined || !ignore_mismatched_sizes,
    {
      path: ['ignore_mismatched_sizes'],
      error: 'only for a source, as a fresh model has the head that config says: remove it',
    },
  );

export type DownloadModelInputs = z.output<typeof inputs>;

export const downloadModel = defineStep({
  kind: 'download-model',
  version: 1,
  revision: 3,
  effect: 'source',
  role: 'work',
  summary:
    'Get a model (weights, config, tokenizer) from a folder, the Hugging Face Hub or the registry, or make a fresh one.',
  with: inputs,
  outputs: {
    model: artifact('model').describe('weights, config.json and tokenizer'),
    parameters: z.int().describe('number of weights'),
  },
  async resolve(context: StepContext, given) {
    const { resolveModel } = await import('./model-download.ts');
    return resolveModel(context, given);
  },
  async run(context: StepContext, given) {
    const { downloadWeights } = await import('./model-download.ts');
    return downloadWeights(context, given);
  },
});
