import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import type { ContentKind, DatasetRow } from '../../data/dataset.ts';
import type { Message } from '../../data/messages.ts';
import type { TokenizeSettings } from '../../data/tokenize.ts';
import type { FileContent } from '../../store/artifacts.ts';
import { storeTest } from './temporary-store.ts';
import { putTokenizer, template, tokenize } from './tokenized-rows.ts';

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
  {
    id: 'a',
    messages: roles.map((role) => ({ role, content: 'owl' })) as readonly Message[],
    label: null,
  },
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
