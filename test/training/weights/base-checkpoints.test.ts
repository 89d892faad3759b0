import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { defineModel, type Task } from '../../../training/model.ts';
import { writeSafetensors } from '../../../training/weights/safetensors-file.ts';
import { loadWeights } from '../../../training/weights/weight-loading.ts';
import { readModelFixture } from '../models/model-fixture.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'checkpoints-'));
});
afterAll(() => rm(folder, { recursive: true }));

const BERT_HEAD = ['classifier.weight', 'classifier.bias'];
const POOLER = ['bert.pooler.dense.weight', 'bert.pooler.dense.bias'];

interface Checkpoint {
  readonly what: string;
  readonly fixture: string;
  readonly task?: Task;
  /** The name in the file of a parameter; undefined for one that is not in it. */
  readonly nameOf: (parameter: string) => string | undefined;
  /** What is in the file besides. */
  readonly extras: readonly string[];
  /** What training has to create. */
  readonly created: readonly string[];
}

const without =
  (prefix: string, ...lacking: readonly string[]) =>
  (name: string): string | undefined =>
    lacking.some((part) => name.startsWith(part)) ? undefined : name.replace(prefix, '');
const legacy = (name: string | undefined): string | undefined =>
  name?.replace('LayerNorm.weight', 'LayerNorm.gamma').replace('LayerNorm.bias', 'LayerNorm.beta');

const CHECKPOINTS: readonly Checkpoint[] = [
  {
    what: 'a base model with buffers',
    fixture: 'bert-reference',
    nameOf: without('bert.', 'classifier'),
    extras: ['embeddings.position_ids', 'embeddings.token_type_ids'],
    created: BERT_HEAD,
  },
  {
    what: 'a masked language model under the oldest names',
    fixture: 'bert-reference',
    nameOf: (name) => legacy(without('', 'classifier')(name)),
    extras: [
      ...['cls.predictions.bias', 'cls.predictions.decoder.weight', 'cls.seq_relationship.weight'],
      ...['cls.predictions.transform.LayerNorm.gamma', 'cls.predictions.transform.dense.weight'],
    ],
    created: BERT_HEAD,
  },
  {
    what: 'a model without a pooler that answers questions',
    fixture: 'bert-reference',
    nameOf: without('', 'classifier', 'bert.pooler'),
    extras: ['qa_outputs.weight', 'qa_outputs.bias'],
    created: [...POOLER, ...BERT_HEAD],
  },
  {
    what: 'a base model',
    fixture: 'distilbert-reference',
    nameOf: without('distilbert.', 'pre_classifier', 'classifier'),
    extras: [],
    created: ['pre_classifier.weight', 'pre_classifier.bias', ...BERT_HEAD],
  },
  {
    what: 'a masked language model',
    fixture: 'distilbert-reference',
    nameOf: without('', 'pre_classifier', 'classifier'),
    extras: [
      ...['vocab_transform.weight', 'vocab_layer_norm.bias', 'vocab_projector.weight'],
      'distilbert.embeddings.position_ids',
    ],
    created: ['pre_classifier.weight', 'pre_classifier.bias', ...BERT_HEAD],
  },
  {
    what: 'a base model with a pooler',
    fixture: 'roberta-reference',
    nameOf: without('roberta.', 'classifier'),
    extras: ['pooler.dense.weight', 'pooler.dense.bias', 'embeddings.position_ids'],
    created: ['dense', 'out_proj'].flatMap((layer) =>
      ['weight', 'bias'].map((part) => `classifier.${layer}.${part}`),
    ),
  },
  {
    what: 'a masked language model',
    fixture: 'roberta-reference',
    nameOf: without('', 'classifier'),
    extras: ['lm_head.bias', 'lm_head.dense.weight', 'lm_head.layer_norm.weight'],
    created: ['dense', 'out_proj'].flatMap((layer) =>
      ['weight', 'bias'].map((part) => `classifier.${layer}.${part}`),
    ),
  },
  {
    what: 'a base model with buffers',
    fixture: 'gpt2-reference',
    nameOf: without('transformer.', 'score'),
    extras: ['h.0.attn.bias', 'h.1.attn.masked_bias', 'lm_head.weight'],
    created: ['score.weight'],
  },
  {
    what: 'a model of two heads',
    fixture: 'gpt2-reference',
    nameOf: without('', 'score'),
    extras: ['lm_head.weight', 'multiple_choice_head.summary.weight'],
    created: ['score.weight'],
  },
  {
    what: 'a language model that is saved with its tied head',
    fixture: 'gpt2-lm-reference',
    nameOf: (name) => name,
    extras: ['lm_head.weight'],
    created: [],
  },
  {
    what: 'a classifier that becomes a language model of its own head',
    fixture: 'gpt2-lm-untied',
    task: 'causal-lm',
    nameOf: without('', 'lm_head'),
    extras: ['score.weight'],
    created: ['lm_head.weight'],
  },
];

async function load({ fixture: name, task, nameOf, extras }: Checkpoint) {
  const { config, weights } = await readModelFixture(name);
  const model = defineModel(config, { ...(task && { task }) });
  const file = join(folder, 'model.safetensors');
  const entries = model.parameters.flatMap(({ name: parameter, shape }) => {
    const stored = nameOf(parameter);
    const pieces = [weights.get(parameter) ?? new Float32Array()];
    return stored === undefined ? [] : [{ name: stored, shape, pieces }];
  });
  const others = extras.map((extra) => ({ name: extra, shape: [1], pieces: [Float32Array.of(7)] }));
  await writeSafetensors(file, [...entries, ...others]);
  const memory = new Map(
    model.parameters.map(({ name: parameter, shape }) => {
      const elements = shape.reduce((product, axis) => product * axis, 1);
      return [parameter, new Float32Array(elements)] as const;
    }),
  );
  const target = (spec: { readonly name: string }): Float32Array | undefined =>
    memory.get(spec.name);
  const created = await loadWeights({
    ...{ ...model, files: [file], specs: model.parameters, target, seed: 1 },
  });
  return { created, memory, weights };
}

describe.each(CHECKPOINTS)('$fixture: $what', (checkpoint) => {
  test('is read; what it lacks is created', async () => {
    const { created, memory, weights } = await load(checkpoint);
    expect(created.toSorted()).toEqual([...checkpoint.created].toSorted());
    for (const [name, values] of memory) {
      if (created.includes(name)) continue;
      expect([name, values]).toEqual([name, weights.get(name)]);
    }
  });

  test('an entry that nobody knows is refused', async () => {
    const extras = [...checkpoint.extras, 'encoder.extra.weight'];
    await expect(load({ ...checkpoint, extras })).rejects.toMatchObject({
      type: 'InvalidInput',
      message:
        'the weights do not fit config.json: encoder.extra.weight is unexpected; use the ' +
        "config.json that was saved with them (num_labels must be the head's number of classes, or " +
        'give download-model ignore_mismatched_sizes: true for a new head)',
    });
  });
});
