/** How rows of each kind become tokens. */
import type { Encoding } from 'tokenizers';
import { Failure } from '../plan/failures.ts';
import { renderChat } from './assistant-spans.ts';
import { ChatTemplate } from './chat-template.ts';
import type { Span } from './chat-template.ts';
import type { DatasetInfo, DatasetRow } from './dataset.ts';
import type { ModelTokenizer } from './tokenizer.ts';

export interface EncodedRow {
  readonly inputIds: Int32Array;
  /** 1 where the loss counts a token; null when all count. */
  readonly completionMask: Uint8Array | null;
  readonly truncated: boolean;
  /** Whether the prompt's tokens are not the first of the whole row's. */
  readonly mergesPrompt?: boolean;
}

/** @param split its name in messages */
export type RowEncoder = (
  rows: readonly DatasetRow[],
  split: string,
) => Promise<readonly EncodedRow[]>;

/**
 * Texts as `tokenizer(text, truncation=True)` of transformers, prompts with their completions and
 * messages as TRL's SFTTrainer (1.16) with `completion_only_loss` and `assistant_only_loss`.
 *
 * @param chatTemplate in place of the tokenizer's own
 * @throws InvalidInput when messages have no template, or completions no end-of-sequence token
 */
export function rowEncoder(
  { content }: DatasetInfo,
  tokenizer: ModelTokenizer,
  chatTemplate: string | undefined,
): RowEncoder {
  switch (content) {
    case 'text':
      return (rows) => encodeTexts(rows as readonly { text: string }[], tokenizer);
    case 'completion': {
      const { text: eos } = eosToken(tokenizer, 'a completion ends with it');
      return (rows) =>
        encodeCompletions(
          rows as readonly { prompt: string; completion: string }[],
          tokenizer,
          eos,
        );
    }
    case 'messages': {
      const source = chatTemplate ?? tokenizer.chatTemplate;
      if (source === undefined) throw noTemplate();
      const template = new ChatTemplate(source, tokenizer.specialTokens);
      return (rows, split) => encodeChats(rows, split, tokenizer, template);
    }
  }
}

/** @throws InvalidInput when the tokenizer names none, or one that it does not know */
export function eosToken(tokenizer: ModelTokenizer, why: string): { text: string; id: number } {
  const { eos_token: text } = tokenizer.specialTokens;
  const id = text === undefined ? null : tokenizer.tokenId(text);
  if (text !== undefined && id !== null) return { text, id };
  if (text !== undefined) {
    throw new Failure(
      'InvalidInput',
      `the tokenizer's eos_token "${text}" is not in its vocabulary, and ${why}: correct it in ` +
        'tokenizer_config.json',
    );
  }
  throw new Failure(
    'InvalidInput',
    `the tokenizer names no eos_token, and ${why}: name it in tokenizer_config.json, or give its id as ` +
      "eos_token_id in download-model's config",
  );
}

async function encodeTexts(
  rows: readonly { readonly text: string }[],
  tokenizer: ModelTokenizer,
): Promise<readonly EncodedRow[]> {
  const encoded = await tokenizer.encode(rows.map(({ text }) => text));
  return encoded.map((row) => ({ ...row, completionMask: null }));
}

/**
 * The completion begins where the tokens of the prompt and those of prompt and completion part:
 * where they merge across the border, before the prompt's end.
 */
async function encodeCompletions(
  rows: readonly { readonly prompt: string; readonly completion: string }[],
  tokenizer: ModelTokenizer,
  eos: string,
): Promise<readonly EncodedRow[]> {
  const prompts = rows.map(({ prompt }) => prompt);
  const wholes = rows.map(({ prompt, completion }) =>
    completion.endsWith(eos) ? prompt + completion : prompt + completion + eos,
  );
  const promptEncodings = await tokenizer.encodeWhole(prompts, true);
  const encodings = await tokenizer.encodeWhole(wholes, true);
  return encodings.map((encoding, row) => {
    const ids = encoding.getIds();
    const promptIds = promptEncodings[row]?.getIds() ?? [];
    const start = commonPrefix(promptIds, ids);
    const mask = new Uint8Array(ids.length).fill(1, start);
    return { ...cut(ids, mask, tokenizer.maxLength), mergesPrompt: start < promptIds.length };
  });
}

function commonPrefix(a: readonly number[], b: readonly number[]): number {
  const end = a.findIndex((id, index) => id !== b[index]);
  return end === -1 ? a.length : end;
}

async function encodeChats(
  rows: readonly DatasetRow[],
  split: string,
  tokenizer: ModelTokenizer,
  template: ChatTemplate,
): Promise<readonly EncodedRow[]> {
  const chats = rows.map((row) => {
    if (!('messages' in row)) throw new Error(`internal: row ${row.id} has no messages`);
    return renderChat(template, row.messages, `row "${row.id}" of the split "${split}"`);
  });
  const encodings = await tokenizer.encodeWhole(
    chats.map(({ text }) => text),
    false,
  );
  return chats.map(({ text, spans }, row) => {
    const encoding = encodings[row] as Encoding;
    return cut(encoding.getIds(), maskOf(text, spans, encoding), tokenizer.maxLength);
  });
}

/** 1 for the tokens of the spans: from the first that holds a character of one to the last. */
function maskOf(text: string, spans: readonly Span[], encoding: Encoding): Uint8Array {
  // The library counts characters, JavaScript UTF-16 units.
  const offsets = encoding.getOffsets() as [number, number][];
  const mask = new Uint8Array(offsets.length);
  for (const [from, to] of spans) {
    const start = [...text.slice(0, from)].length;
    const end = start + [...text.slice(from, to)].length;
    const holds = ([first, last]: readonly [number, number]): boolean =>
      first < end && last > start && last > first;
    const firstToken = offsets.findIndex(holds);
    if (firstToken !== -1) mask.fill(1, firstToken, offsets.findLastIndex(holds) + 1);
  }
  return mask;
}

/** The first tokens of a row, as TRL cuts (`truncation_mode: keep_start`). */
function cut(ids: readonly number[], mask: Uint8Array, maxLength: number | null): EncodedRow {
  const length = maxLength ?? ids.length;
  return {
    inputIds: Int32Array.from(ids.slice(0, length)),
    completionMask: mask.slice(0, length),
    truncated: ids.length > length,
  };
}

function noTemplate(): Failure {
  return new Failure(
    'InvalidInput',
    'the rows are messages, and the tokenizer has no chat template: add chat_template, as ' +
      'chat_template: "{% for message in messages %}<|{{ message.role }}|>{{ message.content }}' +
      '{{ eos_token }}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"',
  );
}
