import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { writeDataset } from '../../data/dataset.ts';
import type { DatasetRow } from '../../data/dataset.ts';
import { tokenizeDataset } from '../../data/tokenize.ts';
import type { TokenizeProgress } from '../../data/tokenize.ts';
import {
  readTokenizedDatasetInfo,
  readTokenizedSplit,
  tokenizedSplitFile,
} from '../../data/tokenized-dataset.ts';
import type { TokenizedRows } from '../../data/tokenized-dataset.ts';
import type { TokenizerOptions } from '../../data/tokenizer.ts';
import { putArtifact } from '../../store/artifacts.ts';
import type { FileContent } from '../../store/artifacts.ts';
import type { ArtifactDigest, Store } from '../../store/store.ts';
import { SHARED, sharedTest } from './shared-data.ts';
import { storeTest } from './temporary-store.ts';

const FIXTURES = fileURLToPath(new URL('../fixtures/data', import.meta.url));
const TOKENIZER_FILES = ['tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json'];

interface Expected {
  readonly tokenizer: 'bpe' | 'bert';
  readonly text: string;
  /** Of transformers: the whole text, and cut at 12 (bpe) or 10 (bert) tokens. */
  readonly whole: readonly number[];
  readonly cut: readonly number[];
}

function lines(path: string): readonly unknown[] {
  const text = readFileSync(join(FIXTURES, path), 'utf8').trim();
  return text.split('\n').map((line) => JSON.parse(line) as unknown);
}

const EXPECTED = lines('tokenizers/expected.jsonl') as readonly Expected[];

function expectedOf(tokenizer: Expected['tokenizer']): readonly Expected[] {
  return EXPECTED.filter((line) => line.tokenizer === tokenizer);
}

/** A model artifact with a tokenizer alone. */
async function putModel(
  store: Store,
  folder: string,
  names: readonly string[] = TOKENIZER_FILES,
  more: Readonly<Record<string, FileContent>> = {},
): Promise<ArtifactDigest> {
  const files = Object.fromEntries(names.map((name) => [name, { file: join(folder, name) }]));
  return putArtifact(store, { type: 'model', metadata: {}, files: { ...files, ...more } });
}

const SHAPE = { content: 'text', labelKind: 'class', labels: ['a', 'b'] } as const;

function rowsOf(texts: readonly string[]): readonly DatasetRow[] {
  return texts.map((text, row) => ({ id: `row-${row}`, text, label: row % 2 }));
}

async function tokenize(
  { store, folder }: { store: Store; folder: string },
  texts: readonly string[],
  tokenizer: ArtifactDigest,
  options: TokenizerOptions,
): Promise<{ result: Awaited<ReturnType<typeof tokenizeDataset>>; rows: TokenizedRows }> {
  const directory = join(folder, 'work');
  await mkdir(directory, { recursive: true });
  const dataset = await writeDataset(store, { train: [rowsOf(texts)] }, SHAPE, { directory });
  const result = await tokenizeDataset(store, { dataset, tokenizer }, options, { directory });
  return {
    result,
    rows: await readTokenizedSplit(await tokenizedSplitFile(store, result.dataset)),
  };
}

function tokensOf({ inputIds, offsets, ids }: TokenizedRows): readonly number[][] {
  return ids.map((_, row) => [...inputIds.subarray(offsets[row], offsets[row + 1])]);
}

const CUTS: readonly (readonly [Expected['tokenizer'], TokenizerOptions, number])[] = [
  ['bpe', { padToken: 'eos', maxLength: 12 }, 12],
  // Cut from the left, at the tokenizer's own limit.
  ['bert', {}, 10],
];

storeTest.for(CUTS)(
  'cuts rows as transformers does (%s)',
  async ([name, options, maxLength], { store, folder }) => {
    const expected = expectedOf(name);
    const tokenizer = await putModel(store, join(FIXTURES, 'tokenizers', name));
    const texts = expected.map(({ text }) => text);
    const { result, rows } = await tokenize({ store, folder }, texts, tokenizer, options);

    expect(tokensOf(rows)).toEqual(expected.map(({ cut }) => cut));
    expect(rows.ids).toEqual(expected.map((_, row) => `row-${row}`));
    expect(rows.labels).toEqual(Int32Array.from(expected, (_, row) => row % 2));
    const truncated = expected.filter(({ whole }) => whole.length > maxLength).length;
    expect(truncated).toBeGreaterThan(10);
    expect(result).toEqual({
      dataset: result.dataset,
      dropped: [],
      mergedPrompts: 0,
      tokens: expected.reduce((sum, { cut }) => sum + cut.length, 0),
      truncated,
    });
  },
);

storeTest.for(['bpe', 'bert'] as const)(
  'keeps rows whole as transformers does (%s)',
  async (name, { store, folder }) => {
    const expected = expectedOf(name);
    const tokenizer = await putModel(store, join(FIXTURES, 'tokenizers', name));
    const options = { truncation: false, ...(name === 'bpe' ? { padToken: 'eos' } : {}) };
    const texts = expected.map(({ text }) => text);
    const { result, rows } = await tokenize({ store, folder }, texts, tokenizer, options);

    expect(tokensOf(rows)).toEqual(expected.map(({ whole }) => whole));
    expect(result.truncated).toBe(0);
  },
);

interface Padding {
  readonly what: string;
  readonly options: TokenizerOptions;
  readonly files?: readonly string[];
  readonly more?: Readonly<Record<string, string>>;
  readonly pad: readonly [token: string, id: number];
}

const PADDINGS: readonly Padding[] = [
  { what: 'eos', options: { padToken: 'eos' }, pad: ['<|endoftext|>', 0] },
  {
    what: "the model's eos, where its tokenizer names none, as GPT-2's on the Hub",
    options: { padToken: 'eos' },
    files: ['tokenizer.json'],
    more: {
      'tokenizer_config.json': '{"model_max_length": 1024}',
      'config.json': '{"model_type": "gpt2", "eos_token_id": 31}',
    },
    pad: ['?', 31],
  },
  { what: 'a token of the vocabulary', options: { padToken: '!' }, pad: ['!', 1] },
  {
    what: "the tokenizer's own",
    options: {},
    files: ['tokenizer.json'],
    more: { 'special_tokens_map.json': '{"pad_token": {"content": "?"}}' },
    pad: ['?', 31],
  },
];

storeTest.for(PADDINGS)(
  'pads with $what',
  async ({ options, files, more, pad }, { store, folder }) => {
    const contents = Object.entries(more ?? {}).map(([name, text]) => [name, Buffer.from(text)]);
    const tokenizer = await putModel(
      store,
      join(FIXTURES, 'tokenizers/bpe'),
      files,
      Object.fromEntries(contents) as Record<string, FileContent>,
    );
    const all = { maxLength: 8, ...options };
    const { result } = await tokenize({ store, folder }, ['words'], tokenizer, all);

    expect(await readTokenizedDatasetInfo(store, result.dataset)).toEqual({
      splits: { train: 1 },
      labels: ['a', 'b'],
      label_kind: 'class',
      chat_template: null,
      pad_token: pad[0],
      pad_token_id: pad[1],
      max_length: 8,
      tokenizer: expect.stringMatching(/^sha256:[0-9a-f]{64}$/) as string,
      tokens: result.tokens,
      truncated: 0,
    });
  },
);

interface Refusal {
  readonly what: string;
  readonly name: 'bpe' | 'bert';
  readonly options: TokenizerOptions;
  readonly files?: readonly string[];
  readonly text?: string;
  readonly message: string;
}

const REFUSALS: readonly Refusal[] = [
  {
    what: 'no pad token',
    name: 'bpe',
    options: { maxLength: 8 },
    message: 'the tokenizer has no pad token: add pad_token: eos',
  },
  {
    what: 'no pad token and no eos token',
    name: 'bpe',
    files: ['tokenizer.json'],
    options: { maxLength: 8 },
    message: 'the tokenizer has no pad token: add pad_token: TOKEN, a token of its vocabulary',
  },
  {
    what: 'eos of a tokenizer without one',
    name: 'bert',
    options: { padToken: 'eos' },
    message:
      'pad_token: eos is asked for, but the tokenizer names no eos_token: name a token of its ' +
      'vocabulary, as pad_token: <|endoftext|>',
  },
  {
    what: 'an unknown token',
    name: 'bpe',
    options: { padToken: '<|endoftxt|>', maxLength: 8 },
    message:
      `pad_token "<|endoftxt|>" is not in the tokenizer's vocabulary of 381 tokens; did you mean ` +
      '"<|endoftext|>"?',
  },
  {
    what: 'no limit',
    name: 'bpe',
    options: { padToken: 'eos' },
    message:
      'the tokenizer does not say how long a row may be: add max_length, as max_length: 128, or ' +
      'truncation: false',
  },
  {
    what: 'a limit without truncation',
    name: 'bpe',
    options: { padToken: 'eos', truncation: false, maxLength: 8 },
    message: 'max_length: 8 has no effect with truncation: false: leave one of them out',
  },
  {
    what: 'a limit that holds nothing but special tokens',
    name: 'bert',
    options: { maxLength: 2 },
    message:
      'max_length: 2 is too short: expected an integer above 2, as the tokenizer adds 2 tokens to ' +
      'each row',
  },
  {
    what: 'a row without tokens',
    name: 'bpe',
    options: { padToken: 'eos', maxLength: 8 },
    text: '',
    message:
      'row "row-0" of the split "train" has no tokens (its text is ""): remove the row where the ' +
      'data comes from',
  },
  {
    what: 'a model without a tokenizer',
    name: 'bpe',
    files: ['tokenizer_config.json'],
    options: { maxLength: 8 },
    message:
      'the model has no tokenizer.json: give a tokenizer where the model is downloaded or made',
  },
];

storeTest.for(REFUSALS)(
  'refuses $what',
  async ({ name, options, files, text, message }, { store, folder }) => {
    const tokenizer = await putModel(store, join(FIXTURES, 'tokenizers', name), files);
    await expect(
      tokenize({ store, folder }, [text ?? 'some text'], tokenizer, options),
    ).rejects.toMatchObject({ type: 'InvalidInput', message });
  },
);

storeTest('tokenizes every split, and says how far it is', async ({ store, folder }) => {
  const tokenizer = await putModel(store, join(FIXTURES, 'tokenizers/bpe'));
  const texts = Array.from({ length: 600 }, (_, row) => `text ${row}`);
  const unlabelled = (all: readonly string[]): readonly DatasetRow[] =>
    rowsOf(all).map((row) => ({ ...row, label: null }));
  const splits = { train: [unlabelled(texts)], test: [unlabelled(['more text'])] };
  const dataset = await writeDataset(
    store,
    splits,
    { ...SHAPE, labelKind: null, labels: null },
    { directory: folder },
  );
  const progress: TokenizeProgress[] = [];
  const options = { padToken: 'eos', maxLength: 8 };
  const { dataset: tokenized, tokens } = await tokenizeDataset(
    store,
    { dataset, tokenizer },
    options,
    { directory: folder, onProgress: (seen) => progress.push(seen) },
  );

  expect(progress.at(-1)).toEqual({ rows: 601, totalRows: 601, tokens });
  expect(progress.length).toBe(4);
  const test = await readTokenizedSplit(await tokenizedSplitFile(store, tokenized, 'test'));
  expect(test.ids).toEqual(['row-0']);
  expect(test.labels).toBeNull();
});

sharedTest('models/gpt2/tokenizer.json')(
  "gives GPT-2's known answer",
  async ({ store, folder }) => {
    const names = ['tokenizer.json', 'tokenizer_config.json'];
    const tokenizer = await putModel(store, join(SHARED, 'models/gpt2'), names);
    const texts = ["Hello world, I'm 42 times happier  than  before!"];
    const options = { padToken: 'eos', maxLength: 128 };
    const { result, rows } = await tokenize({ store, folder }, texts, tokenizer, options);
    const info = await readTokenizedDatasetInfo(store, result.dataset);

    expect(tokensOf(rows)).toEqual([
      [15496, 995, 11, 314, 1101, 5433, 1661, 23030, 220, 621, 220, 878, 0],
    ]);
    expect([info.pad_token, info.pad_token_id]).toEqual(['<|endoftext|>', 50256]);
  },
);

interface Gpt2Tokens {
  readonly max_length: number;
  readonly tokens: number;
  readonly truncated: number;
  readonly sha256: string;
}

for (const expected of lines('gpt2-tokens.jsonl') as readonly Gpt2Tokens[]) {
  sharedTest('models/gpt2/tokenizer.json')(
    `makes of real tweets what transformers does (max_length ${expected.max_length})`,
    async ({ store, folder }) => {
      const names = ['tokenizer.json', 'tokenizer_config.json'];
      const tokenizer = await putModel(store, join(SHARED, 'models/gpt2'), names);
      const tweets = readFileSync(join(SHARED, 'data/tweets.jsonl'), 'utf8').trim().split('\n');
      const texts = tweets.map((line) => (JSON.parse(line) as { text: string }).text);
      const options = { padToken: 'eos', maxLength: expected.max_length };
      const { result, rows } = await tokenize({ store, folder }, texts, tokenizer, options);
      const lengths = rows.offsets.slice(1).map((end, row) => end - (rows.offsets[row] as number));
      const digest = createHash('sha256').update(rows.inputIds).update(lengths).digest('hex');

      expect({
        max_length: expected.max_length,
        tokens: result.tokens,
        truncated: result.truncated,
        sha256: digest,
      }).toEqual(expected);
    },
  );
}
