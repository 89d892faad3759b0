import { expect, test } from 'vitest';
import { readSplit, writeDataset } from '../../data/dataset.ts';
import type { DatasetRow } from '../../data/dataset.ts';
import { subsetDataset } from '../../data/subset.ts';
import { file, fixture, readRows, testRefusals } from './reading.ts';
import { storeTest } from './temporary-store.ts';

const PAIR = { content: { prompt: 'question', completion: 'answer' } };
const MESSAGES = { content: { messages: 'messages' } };

storeTest('reads prompts with completions, and subsets of them', async ({ store, folder }) => {
  const content = 'answer,question,id\n" a, ""b""",Which?,1\nb,"x\ny ",2\n';
  const train = [await file(folder, 'a.csv', content)];
  const { shape, splits } = await readRows({ train }, { ...PAIR, id: 'id' });
  const rows = [
    { id: '1', prompt: 'Which?', completion: ' a, "b"', label: null },
    { id: '2', prompt: 'x\ny ', completion: 'b', label: null },
  ];
  expect(shape).toEqual({ content: 'completion', labelKind: null, labels: null });
  expect(splits).toEqual({ train: rows });

  const options = { directory: folder };
  const all = await writeDataset(store, { train: [rows] }, shape, options);
  const { dataset } = await subsetDataset(store, all, { skip: 1 }, options);
  const split = await readSplit(store, dataset);
  expect([split.shape, [...split.rows()]]).toEqual([{ splits: { train: 1 }, ...shape }, [rows[1]]]);
});

test.each(['kinds.parquet', 'kinds.arrow'])('reads messages of %s', async (name) => {
  const { shape, splits } = await readRows({ train: [fixture(name)] }, MESSAGES);
  expect(shape).toEqual({ content: 'messages', labelKind: null, labels: null });
  expect(splits['train']).toEqual([
    {
      id: 'train-0',
      messages: [
        { role: 'user', content: '\uFEFFa' },
        { role: 'assistant', tool_calls: [{ name: 'f', at: 1.5 }] },
      ],
      label: null,
    },
    { id: 'train-1', messages: [{ role: 'user', content: '🙂 "b"' }], label: null },
    {
      id: 'train-2',
      messages: [{ role: 'assistant', content: 'c', tool_calls: [] }],
      label: null,
    },
  ]);
});

const CHAT = [
  { role: 'user', content: [{ type: 'text', text: 'a\uFEFF🙂\u2028"' }] },
  { role: 'assistant', content: '', more: { a: [1, null, { b: 2.5 }] } },
];

storeTest.for([
  ['a.jsonl', JSON.stringify({ messages: CHAT })],
  ['a.json', JSON.stringify([{ messages: JSON.stringify(CHAT) }])],
  ['a.csv', `messages\n"${JSON.stringify(CHAT).replaceAll('"', '""')}"\n`],
] as const)(
  'keeps messages whole, also as text (%s)',
  async ([name, content], { store, folder }) => {
    const train = [await file(folder, name, content)];
    const { shape, splits } = await readRows({ train }, MESSAGES);
    const rows = [{ id: 'train-0', messages: CHAT, label: null }] as unknown as DatasetRow[];
    expect(splits).toEqual({ train: rows });

    const dataset = await writeDataset(store, { train: [rows] }, shape, { directory: folder });
    const split = await readSplit(store, dataset);
    expect([...split.rows()]).toEqual(rows);
  },
);

storeTest('keeps labels of every kind, and subsets of them', async ({ store, folder }) => {
  const options = { directory: folder };
  const kinds = [
    ['classes', ['a', 'b', 'c'], [[0, 2], [], [1]]],
    ['number', null, [[0.1], [-2], [1e-30]]],
    [
      'number',
      null,
      [
        [0.1, 1],
        [-2, 3],
        [1e-30, 0],
      ],
    ],
  ] as const;
  for (const [labelKind, labels, values] of kinds) {
    const rows = values.map((label, row) => ({ id: `${row}`, text: `t${row}`, label }));
    const shape = { content: 'text', labelKind, labels } as const;
    const all = await writeDataset(store, { train: [rows] }, shape, options);
    const { dataset } = await subsetDataset(store, all, { skip: 1, take: 2 }, options);
    const split = await readSplit(store, dataset);
    expect([split.shape, [...split.rows()]]).toEqual([
      { splits: { train: 2 }, ...shape },
      rows.slice(1),
    ]);
  }
});

const EXAMPLE = '[{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}]';
const CONTENT = 'expected a text, or a list of {"type": "text", "text": "..."}';

/** Rows of which the second has the given messages, and how it is refused. */
function second(messages: string, message: string): Parameters<typeof testRefusals>[0][string] {
  const first = '{"messages": [{"role": "user", "content": "a"}]}';
  return {
    name: 'a.jsonl',
    content: `${first}\n{"messages": ${messages}}\n`,
    options: MESSAGES,
    message: `file:a.jsonl: row 2${message}`,
  };
}

testRefusals({
  'no completion': {
    name: 'a.csv',
    content: 'question,answer\nWhich?,\n',
    options: PAIR,
    message: 'file:a.csv: row 1 has no completion (column "answer"): fill it in, or remove the row',
  },
  'an empty completion': {
    name: 'a.jsonl',
    content: '{"question": "a", "answer": ""}',
    options: PAIR,
    message:
      'file:a.jsonl: row 1 has no completion (column "answer"): fill it in, or remove the row',
  },
  'no prompt': {
    name: 'a.jsonl',
    content: '{"question": null, "answer": "a"}',
    options: PAIR,
    message: 'file:a.jsonl: row 1 has no prompt (column "question"): fill it in, or remove the row',
  },
  'a prompt of messages': {
    name: 'a.jsonl',
    content: '{"question": [{"role": "user"}], "answer": "a"}',
    options: PAIR,
    message: 'file:a.jsonl: row 1: "question" is a list: expected a text',
  },
  'a column that is not there': {
    name: 'a.csv',
    content: 'question,anwser\na,b\n',
    options: PAIR,
    message:
      'file:a.csv: it has no column "answer" (completion), only "question", "anwser"; did you mean "anwser"?',
  },
  'one column for prompt and completion': {
    name: 'a.csv',
    content: 'question\na\n',
    options: { content: { prompt: 'question', completion: 'question' } },
    message:
      'prompt and completion both name the column "question": name another one as completion, or leave ' +
      'completion out',
  },
  'no messages': second(
    'null',
    ' has no messages (column "messages"): fill them in, or remove the row',
  ),
  'an empty list of messages': second(
    '[]',
    ': "messages" is an empty list: put messages into it, or remove the row',
  ),
  'a text that is no JSON': second(
    '"hello"',
    `: "messages" is "hello" (text): expected a list of messages, as ${EXAMPLE}`,
  ),
  'JSON that is no list': second(
    '"null"',
    `: "messages" is "null" (text): expected a list of messages, as ${EXAMPLE}`,
  ),
  'one message': second(
    '{"role": "user", "content": "a"}',
    `: "messages" is an object: expected a list of messages, as ${EXAMPLE}`,
  ),
  'a number': second(
    '5',
    `: "messages" is 5 (a number): expected a list of messages, as ${EXAMPLE}`,
  ),
  'texts in place of messages': second(
    '["a", "b"]',
    ': message 1 of "messages" is "a" (text): expected an object, as {"role": "user", "content": "..."}',
  ),
  'from and value': second(
    '[{"from": "human", "value": "a"}]',
    ': message 1 of "messages" has "from" and "value" in place of "role" and "content": rename them, and ' +
      'write the roles as "user" (human), "assistant" (gpt) and "system"',
  ),
  'a message without a role': second(
    '[{"role": "user", "content": "a"}, {"content": "b", "role": null}]',
    ': message 2 of "messages" has no role: expected "system", "user", "assistant" or another role that ' +
      'the chat template knows',
  ),
  'a role that is a number': second(
    '[{"content": "b", "role": 1}]',
    ': message 1 of "messages" has 1 (a number) as its role: expected "system", "user", "assistant" or ' +
      'another role that the chat template knows',
  ),
  'a message without content': second(
    '[{"role": "user", "content": null, "tool_calls": null}]',
    ': message 1 of "messages" has the role "user" and no content: fill it in, or remove the message',
  ),
  'content that is a number': second(
    '[{"role": "user", "content": 7}]',
    `: message 1 of "messages" has 7 (a number) as its content: ${CONTENT}`,
  ),
  'content that is a picture': second(
    '[{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image", "url": "b"}]}]',
    ': message 1 of "messages" has content of the type "image", which a model of texts cannot read: ' +
      CONTENT,
  ),
  'content of texts': second(
    '[{"role": "user", "content": ["a"]}]',
    `: message 1 of "messages" has content that holds "a" (text): ${CONTENT}`,
  ),
  'content without its text': second(
    '[{"role": "user", "content": [{"type": "text"}]}]',
    `: message 1 of "messages" has content that holds an object: ${CONTENT}`,
  ),
  'content that holds nothing': second(
    '[{"role": "user", "content": [null]}]',
    `: message 1 of "messages" has content that holds nothing: ${CONTENT}`,
  ),
});
