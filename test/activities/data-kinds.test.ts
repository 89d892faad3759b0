import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { downloadDataset } from '../../activities/download-dataset.ts';
import { downloadModel } from '../../activities/download-model.ts';
import { subset } from '../../activities/subset.ts';
import { tokenize } from '../../activities/tokenize.ts';
import {
  readTokenizedDatasetInfo,
  readTokenizedSplit,
  tokenizedSplitFile,
} from '../../data/tokenized-dataset.ts';
import type { TokenizedDatasetInfo, TokenizedRows } from '../../data/tokenized-dataset.ts';
import type { JsonObject, JsonValue } from '../../plan/json.ts';
import { PROJECT_ROOT } from '../../setup/dependencies.mjs';
import { artifactFile, readManifest } from '../../store/artifacts.ts';
import type { ArtifactDigest } from '../../store/store.ts';
import { KindRunner } from './kind-runner.ts';

// From files to tokens: download-dataset, subset and tokenize one after the other.

const CONFIG = { n_layer: 1, n_head: 2, n_embd: 4, n_positions: 64, vocab_size: 1500 };
const TEMPLATE =
  '{% for m in messages %}{{ m.role }}: {{ m.content }}{{ eos_token }}{% endfor %}' +
  '{% if add_generation_prompt %}assistant: {% endif %}';

let kinds: KindRunner;
let model: JsonValue;

beforeAll(async () => {
  kinds = await KindRunner.open();
  const tokenizer = join(kinds.dataRoot, 'tokenizer');
  await cp(join(PROJECT_ROOT, 'pipelines/data/tokenizer'), tokenizer, { recursive: true });
  await writeFile(join(tokenizer, 'chat_template.jinja'), TEMPLATE);
  const outputs = await kinds.run(downloadModel, {
    ...{ config: CONFIG, tokenizer: 'file:tokenizer', seed: 3 },
  });
  model = outputs['model'] ?? '';
});

beforeEach(() => {
  kinds.notes.length = 0;
});

interface Tokenized {
  readonly outputs: Record<string, JsonValue>;
  readonly info: TokenizedDatasetInfo;
  readonly rows: TokenizedRows;
}

/** Rows as a file, downloaded, the last of them left out, tokenized. */
async function tokenized(
  rows: readonly JsonObject[],
  columns: JsonObject,
  settings: JsonObject = {},
): Promise<Tokenized> {
  const lines = [...rows, rows[0]].map((row) => `${JSON.stringify(row)}\n`);
  await writeFile(join(kinds.dataRoot, 'rows.jsonl'), lines.join(''));
  const data = await kinds.run(downloadDataset, { source: 'file:rows.jsonl', ...columns });
  const taken = await kinds.run(subset, { dataset: data['dataset'] ?? '', take: rows.length });
  const outputs = await kinds.run(tokenize, {
    ...{ dataset: taken['dataset'] ?? '', tokenizer: model, ...settings },
  });
  const digest = outputs['dataset'] as ArtifactDigest;
  return {
    outputs,
    info: await readTokenizedDatasetInfo(kinds.store, digest),
    rows: await readTokenizedSplit(await tokenizedSplitFile(kinds.store, digest)),
  };
}

const PAD = { pad_token: 'eos' };

describe('labels', () => {
  test('several classes become one number a class', async () => {
    const rows = [
      { text: 'a', label: ['up', 'left'] },
      { text: 'b', label: [] },
      { text: 'c', label: ['down'] },
    ];
    const { info, rows: found } = await tokenized(rows, { label: 'label' }, PAD);
    expect(info).toMatchObject({ labels: ['down', 'left', 'up'], label_kind: 'classes' });
    expect([found.labels, found.valuesPerRow, found.completionMask]).toEqual([null, 3, null]);
    expect(found.values).toEqual(Float32Array.of(0, 1, 1, 0, 0, 0, 1, 0, 0));
  });

  test('several columns of 0 and 1 do too, under their names', async () => {
    const rows = [
      { text: 'a', toxic: 0, insult: 1 },
      { text: 'b', toxic: 1, insult: 0 },
    ];
    const { info, rows: found } = await tokenized(rows, { label: ['toxic', 'insult'] }, PAD);
    expect(info).toMatchObject({ labels: ['toxic', 'insult'], label_kind: 'classes' });
    expect(found.values).toEqual(Float32Array.of(0, 1, 1, 0));
  });

  test('numbers become values in single precision', async () => {
    const rows = [
      { text: 'a', label: 0.1 },
      { text: 'b', label: -2 },
    ];
    const { info, rows: found } = await tokenized(rows, { label: 'label' }, PAD);
    expect(info).toMatchObject({ labels: null, label_kind: 'number' });
    expect([found.labels, found.valuesPerRow]).toEqual([null, 1]);
    expect(found.values).toEqual(Float32Array.of(0.1, -2));
  });

  test('classes stay class indices', async () => {
    const rows = [{ text: 'a', label: 'up' }];
    const { info, rows: found } = await tokenized(rows, { label: 'label' }, PAD);
    expect(info).toMatchObject({ labels: ['up'], label_kind: 'class' });
    expect([found.labels, found.values, found.valuesPerRow]).toEqual([Int32Array.of(0), null, 0]);
  });
});

describe('language modelling', () => {
  const prompts = { prompt: 'q', completion: 'a' };

  test('prompts with completions have a mask, and need no pad token', async () => {
    const rows = [{ q: 'day?\n', a: 'great' }];
    const { outputs, info, rows: found } = await tokenized(rows, prompts);
    const ends = found.completionMask?.indexOf(1) ?? 0;
    expect(ends).toBeGreaterThan(0);
    expect(found.completionMask).toEqual(new Uint8Array(found.inputIds.length).fill(1, ends));
    expect(info).toMatchObject({ pad_token: '<|endoftext|>', label_kind: null });
    expect(outputs).toEqual({
      ...{ dataset: outputs['dataset'], tokens: found.inputIds.length, truncated: 0, dropped: 0 },
    });
    expect(kinds.notes).toEqual([]);
  });

  test('what is left out or merges is said', async () => {
    const rows = [
      { q: 'grea', a: 't' },
      { q: 'a b c d e f g h i j', a: 'k' },
    ];
    const { outputs, rows: found } = await tokenized(rows, prompts, { max_length: 4 });
    expect(outputs).toMatchObject({ tokens: found.inputIds.length, truncated: 1, dropped: 1 });
    expect(found.ids).toEqual(['train-0']);
    expect(kinds.notes).toEqual([
      'rows left out: 1, train-1 first: nothing of their completion is within max_length',
      'rows in which one token holds the end of the prompt and the beginning of the completion: 1: let ' +
        'completions begin with the space between them, or prompts end with a line break',
    ]);
  });

  test('messages are written by the template beside the tokenizer, or by the given one', async () => {
    const rows = [
      {
        chat: [
          { role: 'user', content: 'a' },
          { role: 'assistant', content: 'b' },
        ],
      },
    ];
    const own = await tokenized(rows, { messages: 'chat' });
    const given = await tokenized(rows, { messages: 'chat' }, { chat_template: `!${TEMPLATE}` });
    expect(own.info.chat_template).toBe(TEMPLATE);
    expect(given.info.chat_template).toBe(`!${TEMPLATE}`);
    expect(given.rows.inputIds.length).toBeGreaterThan(own.rows.inputIds.length);
    const { files } = await readManifest(kinds.store, model as ArtifactDigest);
    expect(files.map(({ path }) => path)).toContain('chat_template.jinja');
  });

  test('texts are cut into blocks', async () => {
    const rows = ['a b c', 'd', 'e f g'].map((text) => ({ text, label: 'x' }));
    const {
      outputs,
      info,
      rows: found,
    } = await tokenized(rows, { label: 'label' }, { block_size: 4 });
    const eos = await endOfText();
    expect([...found.inputIds].filter((id) => id === eos).length).toBe(3);
    expect(found.inputIds.at(-1)).toBe(eos);
    expect(found.offsets.slice(0, 3)).toEqual(Int32Array.of(0, 4, 8));
    expect(info).toMatchObject({ labels: null, label_kind: null, max_length: 4 });
    expect(outputs['tokens']).toBe(found.inputIds.length);
  });

  async function endOfText(): Promise<number> {
    const manifest = await readManifest(kinds.store, model as ArtifactDigest);
    const path = await artifactFile(kinds.store, manifest, 'tokenizer.json');
    const { model: parts } = JSON.parse(await readFile(path, 'utf8')) as {
      model: { vocab: Record<string, number> };
    };
    return parts.vocab['<|endoftext|>'] ?? -1;
  }
});

const DIGEST = `sha256:${'0'.repeat(64)}`;
const TOKENS = { dataset: DIGEST, tokenizer: DIGEST };

describe('inputs that do not go together', () => {
  const source = 'file:rows.jsonl';
  test.each([
    [
      downloadDataset,
      { source, prompt: 'q' },
      "'completion' is missing; prompt names the column of the prompts, but nothing that of the completions: add " +
        'completion',
    ],
    [
      downloadDataset,
      { source, completion: 'a' },
      "'prompt' is missing; completion names the column of the completions, but nothing that of the prompts: add " +
        'prompt',
    ],
    [
      downloadDataset,
      { source, text: 't', prompt: 'q', completion: 'a' },
      "'prompt' is 'q', a string; a row is a text, or a prompt with its completion: leave text or prompt out",
    ],
    [
      downloadDataset,
      { source, text: 't', messages: 'm' },
      "'messages' is 'm', a string; a row is messages, or a text, or a prompt with its completion: leave messages or the " +
        'others out',
    ],
    [
      downloadDataset,
      { source, messages: 'm', label: 'l' },
      "'label' is 'l', a string; label is of texts to classify: leave it out beside prompt or messages",
    ],
    [
      tokenize,
      { ...TOKENS, block_size: 8, max_length: 8 },
      "'max_length' is 8; max_length cuts rows, and block_size makes all of them as long: leave one of them " +
        'out',
    ],
    [
      tokenize,
      { ...TOKENS, chat_template: 'file:chat.jinja' },
      "'chat_template' is 'file:chat.jinja', a string; expected the text of a template, not the name of a file, whose content could " +
        'change unnoticed: write the template here, after chat_template: |, or put it as ' +
        'chat_template.jinja beside the tokenizer',
    ],
  ])('%#', async (kind, inputs, message) => {
    await expect(kinds.run(kind, inputs)).rejects.toMatchObject({ type: 'InvalidInput', message });
  });
});
