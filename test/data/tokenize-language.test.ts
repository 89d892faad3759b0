import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { writeDataset } from '../../data/dataset.ts';
import type { ContentKind, DatasetRow } from '../../data/dataset.ts';
import type { Message } from '../../data/messages.ts';
import { tokenizeDataset } from '../../data/tokenize.ts';
import type { TokenizeResult, TokenizeSettings } from '../../data/tokenize.ts';
import {
  readTokenizedDatasetInfo,
  readTokenizedSplit,
  tokenizedSplitFile,
} from '../../data/tokenized-dataset.ts';
import type { TokenizedRows } from '../../data/tokenized-dataset.ts';
import { putArtifact } from '../../store/artifacts.ts';
import type { FileContent } from '../../store/artifacts.ts';
import type { ArtifactDigest, Store } from '../../store/store.ts';
import { storeTest } from './temporary-store.ts';

// Prompts, conversations and blocks, against what TRL and transformers make of them.

const FIXTURES = fileURLToPath(new URL('../fixtures/data/chats', import.meta.url));

interface Folder {
  readonly store: Store;
  readonly folder: string;
}

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

function template(name: string): string {
  return readFileSync(join(FIXTURES, `${name}.jinja`), 'utf8');
}

async function putTokenizer(
  store: Store,
  more: Readonly<Record<string, FileContent>> = {},
): Promise<ArtifactDigest> {
  const names = ['tokenizer.json', 'tokenizer_config.json'];
  const files = Object.fromEntries(names.map((name) => [name, { file: join(FIXTURES, name) }]));
  return putArtifact(store, { type: 'model', metadata: {}, files: { ...files, ...more } });
}

async function tokenize(
  { store, folder }: Folder,
  content: ContentKind,
  rows: readonly DatasetRow[],
  settings: TokenizeSettings,
  tokenizer?: ArtifactDigest,
): Promise<{ result: TokenizeResult; rows: TokenizedRows }> {
  const directory = join(folder, 'work');
  await mkdir(directory, { recursive: true });
  const shape = { content, labelKind: null, labels: null };
  const dataset = await writeDataset(store, { train: [rows] }, shape, { directory });
  const inputs = { dataset, tokenizer: tokenizer ?? (await putTokenizer(store)) };
  const result = await tokenizeDataset(store, inputs, settings, { directory });
  return {
    result,
    rows: await readTokenizedSplit(await tokenizedSplitFile(store, result.dataset)),
  };
}

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

interface Refused {
  readonly what: string;
  readonly content: ContentKind;
  readonly rows: readonly DatasetRow[];
  readonly settings: TokenizeSettings;
  readonly files?: Readonly<Record<string, FileContent>>;
  readonly message: string;
}

const TEXT = [{ id: 'a', text: 'owl', label: null }];
const PAIR = [{ id: 'a', prompt: 'Which?', completion: 'owl', label: null }];
const chat = (...roles: readonly string[]): readonly DatasetRow[] => [
  chatRow(
    'a',
    roles.map((role) => ({ role, content: 'owl' })),
  ),
];
const NO_EOS = { 'tokenizer_config.json': new TextEncoder().encode('{"pad_token": "<s>"}') };
const LEAVE_OUT = 'leave it out, or name other columns in download-dataset';

const REFUSED: readonly Refused[] = [
  {
    what: 'messages without a template',
    ...{ content: 'messages', rows: chat('user', 'assistant'), settings: {} },
    message:
      'the rows are messages, and the tokenizer has no chat template: add chat_template, as ' +
      'chat_template: "{% for message in messages %}<|{{ message.role }}|>{{ message.content }}' +
      '{{ eos_token }}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"',
  },
  {
    what: 'a template that cannot be read',
    ...{ content: 'messages', rows: chat('user', 'assistant') },
    settings: { chatTemplate: '{% for m in messages %}\n{{ m.role }}\n{% endfro %}\n{{ m }}\n' },
    message:
      'the chat template cannot be read: line 3: Unknown statement type: endfro; correct it, or give ' +
      'one as chat_template',
  },
  {
    what: 'a template that does not end',
    ...{ content: 'messages', rows: chat('user', 'assistant') },
    settings: { chatTemplate: '{% if messages %}\n{{ messages' },
    message:
      'the chat template cannot be read: line 2: Unexpected end of input; correct it, or give one as ' +
      'chat_template',
  },
  {
    what: 'messages that the template refuses',
    ...{ content: 'messages', rows: chat('assistant', 'user') },
    settings: { chatTemplate: template('dated') },
    message:
      'row "a" of the split "train" cannot be written with the chat template: A user speaks first, not ' +
      'assistant; correct its messages, or give another chat_template',
  },
  {
    what: 'messages on which the template fails',
    ...{ content: 'messages', rows: chat('user', 'assistant') },
    settings: { chatTemplate: '{{ messages | unheard_of }}' },
    message:
      'row "a" of the split "train" cannot be written with the chat template: Unknown ArrayValue filter: ' +
      'unheard_of; correct its messages, or give another chat_template',
  },
  {
    what: 'a conversation without the assistant',
    ...{ content: 'messages', rows: chat('user', 'asistant', 'user') },
    settings: { chatTemplate: template('chatml') },
    message:
      'row "a" of the split "train" has no turn of the role "assistant", only "user", "asistant": there ' +
      'is nothing to learn from it; correct its roles, or remove the row',
  },
  {
    what: 'a template that marks nothing',
    ...{ content: 'messages', rows: chat('user', 'assistant') },
    settings: {
      chatTemplate:
        '{% for m in messages %}{{ m.content }}{% if m.role == "bot" %}{% generation %}x' +
        '{% endgeneration %}{% endif %}{% endfor %}',
    },
    message:
      'row "a" of the split "train" has an assistant turn, but the chat template marks nothing of it: put ' +
      'what the assistant writes between {% generation %} and {% endgeneration %}, or remove these tags',
  },
  {
    what: 'a template that writes earlier turns in another way',
    ...{ content: 'messages', rows: chat('user', 'assistant', 'user', 'assistant') },
    settings: {
      chatTemplate:
        '{% for m in messages %}{{ m.role }}: {% if loop.last %}(thought) {% endif %}{{ m.content }}\n' +
        '{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}',
    },
    message:
      'row "a" of the split "train": the chat template writes what comes before or within message 2 in ' +
      'another way once the conversation goes on, so that it does not show what the assistant wrote: put ' +
      'that between {% generation %} and {% endgeneration %} in a chat_template of your own',
  },
  {
    what: 'completions with a tokenizer without eos',
    ...{ content: 'completion', rows: PAIR, settings: {}, files: NO_EOS },
    settings: { maxLength: 8 },
    message:
      'the tokenizer names no eos_token, and a completion ends with it: name it in ' +
      "tokenizer_config.json, or give its id as eos_token_id in download-model's config",
  },
  {
    what: 'blocks with a tokenizer without eos',
    ...{ content: 'text', rows: TEXT, settings: { blockSize: 8 }, files: NO_EOS },
    message:
      'the tokenizer names no eos_token, and blocks have it between two texts: name it in ' +
      "tokenizer_config.json, or give its id as eos_token_id in download-model's config",
  },
  {
    what: 'blocks with an eos that is no token',
    ...{ content: 'text', rows: TEXT, settings: { blockSize: 8 } },
    files: {
      'tokenizer_config.json': new TextEncoder().encode(
        '{"pad_token": "<s>", "eos_token": "<end>"}',
      ),
    },
    message:
      'the tokenizer\'s eos_token "<end>" is not in its vocabulary, and blocks have it between two texts: ' +
      'correct it in tokenizer_config.json',
  },
  {
    what: 'blocks longer than the model reads',
    ...{ content: 'text', rows: TEXT, settings: { blockSize: 512 } },
    message:
      "block_size: 512 is more than the 256 tokens that the tokenizer's model reads: lower it",
  },
  {
    what: 'blocks of prompts',
    ...{ content: 'completion', rows: PAIR, settings: { blockSize: 8 } },
    message: `block_size cuts texts into blocks, and the rows of this dataset are prompts with completions: ${LEAVE_OUT}`,
  },
  {
    what: 'a chat template for texts',
    ...{ content: 'text', rows: TEXT, settings: { chatTemplate: 'x' } },
    message: `chat_template writes messages, and the rows of this dataset are texts: ${LEAVE_OUT}`,
  },
  {
    what: 'completions that are all cut off',
    ...{ content: 'completion', rows: PAIR, settings: { maxLength: 2 } },
    message:
      'no row of the split "train" (1 row) has a token of its completion within max_length: 2: raise it, ' +
      'or shorten the prompts',
  },
];

storeTest.for(REFUSED)('refuses $what', async (refused, { store, folder }) => {
  const { content, rows, settings, files, message } = refused;
  const tokenizer = await putTokenizer(store, files);
  await expect(
    tokenize({ store, folder }, content, rows, settings, tokenizer),
  ).rejects.toMatchObject({
    type: 'InvalidInput',
    message,
  });
});

storeTest('refuses blocks of texts without a token', async ({ store, folder }) => {
  const bpe = fileURLToPath(new URL('../fixtures/data/tokenizers/bpe', import.meta.url));
  const tokenizer = await putTokenizer(store, {
    'tokenizer.json': { file: join(bpe, 'tokenizer.json') },
    'tokenizer_config.json': { file: join(bpe, 'tokenizer_config.json') },
  });
  const rows = [{ id: 'a', text: '', label: null }];
  const settings = { blockSize: 8 };
  await expect(
    tokenize({ store, folder }, 'text', rows, settings, tokenizer),
  ).rejects.toMatchObject({
    type: 'InvalidInput',
    message:
      'the texts of the split "train" (1 row) have fewer than 2 tokens: there is nothing to predict; name ' +
      'the column of the text',
  });
});
