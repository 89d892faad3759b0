import { describe, expect, test } from 'vitest';
import { Failure } from '../../../plan/failures.ts';
import { defineModel } from '../../../training/model.ts';
import { gradientName } from '../../../training/models/model-graph.ts';
import { chooseTrainable, type TrainableOptions } from '../../../training/trainable.ts';

const SIZES = { num_attention_heads: 2, intermediate_size: 12, vocab_size: 11 };
const CONFIGS = {
  gpt2: { n_embd: 8, n_layer: 2, n_head: 2, vocab_size: 11, n_positions: 8 },
  'gpt2-lm': {
    ...{ n_embd: 8, n_layer: 2, n_head: 2, vocab_size: 11, n_positions: 8 },
    architectures: ['GPT2LMHeadModel'],
  },
  bert: { model_type: 'bert', hidden_size: 8, num_hidden_layers: 2, ...SIZES },
  distilbert: {
    ...{ model_type: 'distilbert', dim: 8, n_layers: 2, n_heads: 2, hidden_dim: 12 },
    vocab_size: 11,
  },
  roberta: { model_type: 'roberta', hidden_size: 8, num_hidden_layers: 2, ...SIZES },
} as const;
type Name = keyof typeof CONFIGS;

/** What is trained, without `.weight` and `.bias`. */
function trained(name: Name, options: TrainableOptions): string[] {
  const { parameters } = chooseTrainable(defineModel(CONFIGS[name]), options);
  return modules(parameters);
}

function modules(specs: readonly { readonly name: string }[]): string[] {
  return [...new Set(specs.map((spec) => spec.name.replace(/\.(weight|bias)$/, '')))];
}

const layerOf = (name: Name, layer: number): string[] =>
  modules(defineModel(CONFIGS[name]).parameters).filter((path) =>
    new RegExp(`\\.(h|layer)\\.${layer}\\.`).test(path),
  );

const lora = { r: 2, alpha: 4, dropout: 0 };

describe('all_but_last', () => {
  const ENDS: { readonly [name in Name]: readonly string[] } = {
    gpt2: ['transformer.ln_f', 'score'],
    'gpt2-lm': ['transformer.ln_f'],
    bert: ['bert.pooler.dense', 'classifier'],
    distilbert: ['pre_classifier', 'classifier'],
    roberta: ['classifier.dense', 'classifier.out_proj'],
  };

  test.each(Object.keys(CONFIGS) as Name[])('%s: what comes after is trained', (name) => {
    const ends = ENDS[name];
    expect(layerOf(name, 1).length).toBeGreaterThanOrEqual(6);
    expect(trained(name, { freeze: { all_but_last: 0 } })).toEqual(ends);
    expect(trained(name, { freeze: { all_but_last: 1 } })).toEqual([...layerOf(name, 1), ...ends]);
    const both = [...layerOf(name, 0), ...layerOf(name, 1), ...ends];
    expect(trained(name, { freeze: { all_but_last: 2 } })).toEqual(both);
  });

  test('more than there are', () => {
    expect(() => trained('bert', { freeze: { all_but_last: 3 } })).toThrow(
      new Failure(
        'InvalidInput',
        'freeze.all_but_last is 3, and the model has 2 layers; give 2 or less',
      ),
    );
  });
});

describe('patterns', () => {
  test.each([
    {
      patterns: ['transformer.h.*', 'transformer.w*'],
      rest: ['transformer.ln_f', 'score'],
    },
    { patterns: ['*.weight', 'transformer.h.*'], rest: ['transformer.ln_f'] },
    { patterns: ['transformer.*'], rest: ['score'] },
  ])('$patterns leave $rest', ({ patterns, rest }) => {
    expect(trained('gpt2', { freeze: patterns })).toEqual(rest);
  });

  test('that match nothing', () => {
    const freeze = ['transformer.h.*', 'transformer.w?e.*'];
    expect(() => trained('gpt2', { freeze })).toThrow(
      new Failure(
        'InvalidInput',
        'freeze: no parameter of the model matches "transformer.w?e.*"; a pattern is a ' +
          "parameter's name, in which * stands for anything: the model has " +
          'transformer.wte.weight, transformer.h.1.ln_1.weight, score.weight and others',
      ),
    );
  });

  test('a dot is a dot', () => {
    expect(() => trained('gpt2', { freeze: ['transformer.h.0.attn.c.attn.weight'] })).toThrow(
      'freeze: no parameter of the model matches "transformer.h.0.attn.c.attn.weight"',
    );
  });

  test.each([
    { name: 'gpt2', head: 'score.weight' },
    { name: 'gpt2-lm', head: 'the last layers' },
    { name: 'bert', head: 'classifier.weight, classifier.bias' },
  ] as const)('that leave nothing of $name', ({ name, head }) => {
    const { length } = defineModel(CONFIGS[name]).parameters;
    expect(() => trained(name, { freeze: ['*'] })).toThrow(
      new Failure(
        'InvalidInput',
        `freeze leaves nothing to train: all ${length} parameters match it; leave some out, as ` +
          `the head (${head})`,
      ),
    );
  });
});

describe('with LoRA', () => {
  const adapters = [0, 1].flatMap((layer) =>
    ['lora_A', 'lora_B'].map((part) => `transformer.h.${layer}.attn.c_attn.${part}`),
  );

  test('adapters and head are trained, and the head may be frozen too', () => {
    expect(trained('gpt2', { lora })).toEqual(['score', ...adapters]);
    expect(trained('gpt2', { lora, freeze: ['score.*'] })).toEqual(adapters);
    // What is frozen for LoRA anyway.
    expect(trained('gpt2', { lora, freeze: { all_but_last: 0 } })).toEqual(['score', ...adapters]);
    expect(trained('gpt2-lm', { lora })).toEqual(adapters);
  });

  test("BERT's pooler stays frozen", () => {
    const { frozen } = chooseTrainable(defineModel(CONFIGS.bert), { lora });
    expect(modules(frozen)).toContain('bert.pooler.dense');
    expect(modules(frozen)).not.toContain('classifier');
  });
});

test.each(Object.keys(CONFIGS) as Name[])('%s: only what is trained has a gradient', (name) => {
  const model = defineModel(CONFIGS[name]);
  for (const options of [{ lora }, { freeze: { all_but_last: 1 } }, {}]) {
    const { parameters, adapters } = chooseTrainable(model, options);
    const trainable = parameters.map((spec) => spec.name);
    const graph = model.trainingGraph({ trainable, adapters, dropout: false });
    expect(graph.outputs.map((output) => output.name).toSorted()).toEqual(
      ['logits', 'loss', ...trainable.map(gradientName)].toSorted(),
    );
  }
});
