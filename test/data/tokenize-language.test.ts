import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { DatasetRow } from '../../data/dataset.ts';
import type { Message } from '../../data/messages.ts';
import { readTokenizedDatasetInfo } from '../../data/tokenized-dataset.ts';
import type { TokenizedRows } from '../../data/tokenized-dataset.ts';
import type { FileContent } from '../../store/artifacts.ts';
import { storeTest } from './temporary-store.ts';
import { FIXTURES, putTokenizer, template, tokenize } from './tokenized-rows.ts';

// Prompts, conversations and blocks, against what TRL and transformers make of them.

/** A row and what SFTTrainer trains on: null when it leaves the row out. */
interface Expected {
  readonly id: string;
  readonly max_length: number | null;
  readonly ids: readonly number[] | null;
  readonly labels: readonly number[] | null;
}
interface ExpectedCompletion extends Expected {
  readonly prompt: string;
  readonly completion: string;
}
interface ExpectedChat extends Expected {
  readonly template: string;
  readonly messages: readonly Record<string, unknown>[];
}

function lines(name: string): readonly unknown[] {
  const text = readFileSync(join(FIXTURES, name), 'utf8').trim();
  return text.split('\n').map((line) => JSON.parse(line) as unknown);
}

const COMPLETIONS = lines('completions.jsonl') as readonly ExpectedCompletion[];
const CHATS = lines('chats.jsonl') as readonly ExpectedChat[];

/** Ids, and labels with -100 where the loss counts nothing, by row. */
function trainedOn({ ids, inputIds, offsets, completionMask }: TokenizedRows): unknown[] {
  return ids.map((id, row) => {
    const tokens = [...inputIds.slice(offsets[row], offsets[row + 1])];
    const mask = completionMask!.slice(offsets[row], offsets[row + 1]);
    return { id, ids: tokens, labels: tokens.map((token, i) => (mask[i] === 1 ? token : -100)) };
  });
}

function kept(expected: readonly Expected[]): unknown[] {
  return expected
    .filter(({ ids }) => ids !== null)
    .map(({ id, ids, labels }) => ({ id, ids, labels }));
}

function chatRow(id: string, messages: ExpectedChat['messages']): DatasetRow {
  const given = messages.map((message) =>
    Object.fromEntries(Object.entries(message).filter(([, value]) => value !== null)),
  );
  return { id, messages: given as unknown as readonly Message[], label: null };
}

storeTest.for([{ limit: null }, { limit: 24 }])(
  'makes of prompts and completions what SFTTrainer does (max_length $limit)',
  async ({ limit }, { store, folder }) => {
    const expected = COMPLETIONS.filter((row) => row.max_length === limit);
    const rows = expected.map(({ id, prompt, completion }) => ({
      ...{ id, prompt, completion, label: null },
    }));
    const settings = limit === null ? { truncation: false } : { maxLength: limit };
    const { result, rows: found } = await tokenize({ store, folder }, 'completion', rows, settings);

    expect(expected.length).toBe(7);
    expect(trainedOn(found)).toEqual(kept(expected));
    expect(result).toEqual({
      dataset: result.dataset,
      tokens: expected.reduce((sum, { ids }) => sum + (ids?.length ?? 0), 0),
      truncated: limit === null ? 0 : 1,
      dropped: limit === null ? [] : ['24-5'],
      mergedPrompts: limit === null ? 2 : 1,
    });
    expect(await readTokenizedDatasetInfo(store, result.dataset)).toMatchObject({
      splits: { train: limit === null ? 7 : 6 },
      ...{ labels: null, label_kind: null, pad_token: '</s>', pad_token_id: 1 },
      ...{ max_length: limit, chat_template: null },
    });
  },
);

const CHAT_SETS = [...new Set(CHATS.map((chat) => `${chat.template} ${chat.max_length}`))];

storeTest.for(CHAT_SETS)(
  'makes of conversations what SFTTrainer does (%s)',
  async (set, { store, folder }) => {
    const expected = CHATS.filter((chat) => `${chat.template} ${chat.max_length}` === set);
    const { template: name, max_length: limit } = expected[0]!;
    const rows = expected.map(({ id, messages }) => chatRow(id, messages));
    const settings = limit === null ? { truncation: false } : { maxLength: limit };
    const chatTemplate = template(name);
    const options = { ...settings, chatTemplate };
    const { result, rows: found } = await tokenize({ store, folder }, 'messages', rows, options);

    expect(trainedOn(found)).toEqual(kept(expected));
    expect(result.dropped).toEqual(expected.filter(({ ids }) => ids === null).map(({ id }) => id));
    const info = await readTokenizedDatasetInfo(store, result.dataset);
    expect(info.chat_template).toBe(chatTemplate);
  },
);

storeTest('finds every assistant turn without tags, as with them', async ({ store, folder }) => {
  const expected = CHATS.filter(
    (chat) => chat.template === 'chatml-marked' && chat.max_length === null,
  );
  const rows = expected.map(({ id, messages }) => chatRow(id, messages));
  const settings = { truncation: false, chatTemplate: template('chatml') };
  const { rows: found } = await tokenize({ store, folder }, 'messages', rows, settings);

  expect(trainedOn(found)).toEqual(kept(expected));
});

storeTest(
  'finds the assistant where a tokenizer trims the places of its tokens',
  async ({ store, folder }) => {
    const name = 'tokenizer.json';
    const json = readFileSync(join(FIXTURES, name), 'utf8');
    const trimming = json.replace('"trim_offsets": false', '"trim_offsets": true');
    expect(trimming).not.toBe(json);
    const tokenizer = await putTokenizer(store, {
      [name]: new TextEncoder().encode(trimming),
    });
    const expected = CHATS.filter(
      (chat) => chat.template === 'chatml-marked' && chat.max_length === null,
    );
    const rows = expected.map(({ id, messages }) => chatRow(id, messages));
    const settings = { truncation: false, chatTemplate: template('chatml-marked') };
    const { rows: found } = await tokenize(
      { store, folder },
      'messages',
      rows,
      settings,
      tokenizer,
    );

    expect(trainedOn(found)).toEqual(kept(expected));
  },
);

storeTest(
  'marks what the assistant writes whatever characters it writes',
  async ({ store, folder }) => {
    const content = '\uE000\uE001\uE003 owl';
    const rows = [
      chatRow('a', [
        { role: 'user', content },
        { role: 'assistant', content },
      ]),
    ];
    const both = await Promise.all(
      ['chatml-marked', 'chatml'].map((name) => {
        const settings = { truncation: false, chatTemplate: template(name) };
        return tokenize({ store, folder: join(folder, name) }, 'messages', rows, settings);
      }),
    );
    const [marked, plain] = both.map((result) => trainedOn(result.rows));
    expect(marked).toEqual(plain);
  },
);

const CHATML = new TextEncoder().encode(template('chatml'));
const OTHER = '{{ messages[0].content }}';
const config = (chat_template: unknown): Uint8Array =>
  new TextEncoder().encode(JSON.stringify({ bos_token: '<s>', eos_token: '</s>', chat_template }));

storeTest.for<readonly [string, Readonly<Record<string, FileContent>>]>([
  ['a file of its own', { 'chat_template.jinja': CHATML, 'tokenizer_config.json': config(OTHER) }],
  ['a text in tokenizer_config.json', { 'tokenizer_config.json': config(template('chatml')) }],
  [
    'the default of several in tokenizer_config.json',
    {
      'tokenizer_config.json': config([
        { name: 'tool_use', template: OTHER },
        { name: 'default', template: template('chatml') },
      ]),
    },
  ],
])("takes the tokenizer's chat template from %s", async ([, files], { store, folder }) => {
  const [expected] = CHATS.filter((chat) => chat.template === 'chatml');
  const tokenizer = await putTokenizer(store, files);
  const rows = [chatRow('short', expected!.messages)];
  const { rows: found } = await tokenize(
    { store, folder },
    'messages',
    rows,
    { truncation: false },
    tokenizer,
  );

  expect(trainedOn(found)).toEqual(kept([expected!]));
});

interface Blocks {
  readonly texts: readonly string[];
  readonly all: readonly number[];
  readonly blocks: Readonly<Record<string, readonly (readonly number[])[]>>;
}

const BLOCKS = JSON.parse(readFileSync(join(FIXTURES, 'blocks.json'), 'utf8')) as Blocks;

storeTest.for(Object.entries(BLOCKS.blocks))(
  'cuts texts into blocks of %s tokens as group_texts does, and keeps the rest',
  async ([size, blocks], { store, folder }) => {
    const rows = BLOCKS.texts.map((text, row) => ({ id: `row-${row}`, text, label: null }));
    const settings = { blockSize: Number(size) };
    const { result, rows: found } = await tokenize({ store, folder }, 'text', rows, settings);

    const rest = BLOCKS.all.slice(blocks.length * Number(size));
    const expected = rest.length < 2 ? blocks : [...blocks, rest];
    expect(found).toEqual({
      ids: expected.map((_, block) => `train-block-${block}`),
      inputIds: Int32Array.from(expected.flat()),
      offsets: Int32Array.from([
        0,
        ...expected.map((_, i) => expected.slice(0, i + 1).flat().length),
      ]),
      ...{ labels: null, values: null, valuesPerRow: 0, completionMask: null },
    });
    expect(result).toMatchObject({ tokens: expected.flat().length, truncated: 0, dropped: [] });
    const info = await readTokenizedDatasetInfo(store, result.dataset);
    expect(info).toMatchObject({
      splits: { train: expected.length },
      ...{ max_length: Number(size), labels: null, label_kind: null, pad_token: '</s>' },
    });
  },
);

storeTest(
  'blocks do not depend on how rows are read, and end with 2 tokens or more',
  async ({ store, folder }) => {
    const texts = Array.from({ length: 700 }, (_, row) => `owl ${row}`);
    const rows = texts.map((text, row) => ({ id: `row-${row}`, text, label: null }));
    const whole = await tokenize({ store, folder }, 'text', rows, { blockSize: 250 });
    const inTwos = await tokenize({ store, folder }, 'text', rows, { blockSize: 2 });
    const { inputIds } = whole.rows;

    expect(inputIds.length).toBeGreaterThan(256 * 8);
    expect(inTwos.rows.inputIds).toEqual(inputIds.slice(0, 2 * Math.floor(inputIds.length / 2)));
    expect(inTwos.rows.ids.length).toBe(Math.floor(inputIds.length / 2));
  },
);
