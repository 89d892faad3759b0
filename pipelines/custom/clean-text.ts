// A step kind of one's own: see clean-text.yaml for a pipeline that uses it.
//
// `npm run --silent retune -- kinds clean-text --steps pipelines/custom/clean-text.ts` shows it.
import { artifact, defineStep, Failure, z } from 'retune/steps';
import type { Dataset, DatasetRow, StepContext } from 'retune/steps';

/** Rows between two looks at whether to stop. */
const ROWS_A_LOOK = 1000;

export default defineStep({
  kind: 'clean-text',
  version: 1,
  effect: 'pure',
  role: 'work',
  summary: 'Replace user names and links in the texts of a dataset by words that say no more.',
  with: z.strictObject({
    dataset: artifact('dataset').describe('the texts to clean'),
    user: z.string().default('@user').describe('in place of @names'),
    link: z.string().default('http').describe('in place of links'),
    collapse_spaces: z.boolean().default(true).describe('write one space for several'),
    lowercase: z.boolean().default(false).describe('write small letters alone'),
  }),
  outputs: {
    dataset: artifact('dataset').describe('the same rows, cleaned'),
    changed: z.int().describe('how many texts are not what they were'),
  },
  async run(context, { dataset: digest, ...options }) {
    const dataset = await context.readDataset(digest);
    if (dataset.content !== 'text') {
      throw new Failure(
        'InvalidInput',
        `the rows are of the kind ${dataset.content}: clean-text reads texts`,
      );
    }
    const cleaner = new Cleaner(options);
    const splits: Record<string, AsyncIterable<DatasetRow>> = {};
    for (const split of Object.keys(dataset.splits)) {
      splits[split] = cleaner.clean(dataset, split, context);
    }
    const cleaned = await context.writeDataset(splits, dataset);
    context.note(`${cleaner.changed} texts changed`);
    return { dataset: cleaned, changed: cleaner.changed };
  },
});

interface CleanOptions {
  readonly user: string;
  readonly link: string;
  readonly collapse_spaces: boolean;
  readonly lowercase: boolean;
}

class Cleaner {
  changed = 0;
  readonly #options: CleanOptions;
  #rows = 0;

  constructor(options: CleanOptions) {
    this.#options = options;
  }

  async *clean(dataset: Dataset, split: string, context: StepContext): AsyncIterable<DatasetRow> {
    for (const row of await dataset.rows(split)) {
      if (this.#rows % ROWS_A_LOOK === 0) {
        context.signal.throwIfAborted();
        context.progress({ phase: `cleaning ${split}`, step: this.#rows });
      }
      this.#rows += 1;
      if (!('text' in row)) continue;
      const text = this.#cleaned(row.text);
      if (text !== row.text) this.changed += 1;
      yield { ...row, text };
    }
  }

  #cleaned(text: string): string {
    const { user, link, collapse_spaces: collapseSpaces, lowercase } = this.#options;
    const masked = text
      .replaceAll(/https?:\/\/\S+|www\.\S+/gi, () => link)
      .replaceAll(/(?<![\w@])@\w+/g, () => user);
    const spaced = collapseSpaces ? masked.replaceAll(/\s+/g, ' ').trim() : masked;
    return lowercase ? spaced.toLowerCase() : spaced;
  }
}
