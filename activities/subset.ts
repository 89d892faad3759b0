import { z } from 'zod';
import { artifact, defineStep, notBuilt } from '../language/step-declaration.ts';
import type { StepContext } from './step-context.ts';

export const subset = defineStep({
  kind: 'subset',
  version: 1,
  revision: 2,
  effect: 'pure',
  role: 'work',
  summary:
    "Take rows of one split, in Hugging Face's order: shuffle(seed).select(range(skip, skip + take)).",
  with: z.strictObject({
    dataset: artifact('dataset').describe('the dataset to take rows from'),
    split: z.string().min(1).optional().describe('its split; not needed when there is one'),
    shuffle_seed: z
      .int()
      .nonnegative()
      .optional()
      .describe('shuffle first, as datasets.Dataset.shuffle(seed) does; without it in file order'),
    skip: z.int().nonnegative().default(0).describe('rows to leave out at the start'),
    take: z.int().positive().optional().describe('rows to take; without it all that are left'),
    per_label: notBuilt(),
    where: notBuilt(),
  }),
  outputs: {
    dataset: artifact('dataset').describe('the rows taken, as one split'),
    rows: z.int().describe('how many'),
  },
  async run(context: StepContext, inputs) {
    const { subsetDataset } = await import('../data/subset.ts');
    const { dataset, split, shuffle_seed: shuffleSeed, skip, take } = inputs;
    const selection = {
      skip,
      ...(split !== undefined && { split }),
      ...(shuffleSeed !== undefined && { shuffleSeed }),
      ...(take !== undefined && { take }),
    };
    return subsetDataset(context.store, dataset, selection, {
      directory: context.temporaryDirectory,
      signal: context.signal,
    });
  },
});
