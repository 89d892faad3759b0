import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Tokenizer } from 'tokenizers';
import { describe, expect } from 'vitest';
import { packExamples, PACKING } from '../../../training/packing.ts';
import { dataOrder } from '../../../training/random/data-order.ts';
import { SHARED, sharedTest } from '../../data/shared-data.ts';

/** The tutorial's effective batches. */
describe('padding of real tweets', () => {
  sharedTest('data/tweets.jsonl').for([
    { tokenizer: 'all-MiniLM-L6-v2', effectiveBatch: 8 },
    { tokenizer: 'gpt2', effectiveBatch: 4 },
    { tokenizer: 'gpt2', effectiveBatch: 8 },
  ])('$tokenizer, $effectiveBatch a step', async ({ tokenizer, effectiveBatch }) => {
    const file = await readFile(join(SHARED, 'data/tweets.jsonl'), 'utf8');
    const texts = file
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { text: string }).text);
    const encoder = Tokenizer.fromFile(join(SHARED, `models/${tokenizer}/tokenizer.json`));
    encoder.disablePadding();
    encoder.disableTruncation();
    const lengths = (await encoder.encodeBatch(texts)).map((text) =>
      Math.min(128, text.getLength()),
    );
    const order = dataOrder({ rows: texts.length, seed: 42, epoch: 0 });
    let computed = 0;
    for (let start = 0; start < order.length; start += effectiveBatch) {
      const batch = Array.from(
        order.subarray(start, start + effectiveBatch),
        (row) => lengths[row] ?? 0,
      );
      for (const { rows, tokens } of packExamples(batch, PACKING)) computed += rows * tokens;
    }
    const real = lengths.reduce((sum, length) => sum + length, 0);
    expect(1 - real / computed).toBeLessThan(0.15);
  });
});
