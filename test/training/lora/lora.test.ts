import { readFile, rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Failure } from '../../../plan/failures.ts';
import { defineModel, type ModelDefinition } from '../../../training/model.ts';
import { PACKING } from '../../../training/packing.ts';
import { openPredictor } from '../../../training/prediction.ts';
import { loadRuntime } from '../../../training/runtime/runtime.ts';
import { writeAdapter } from '../../../training/trained-adapter.ts';
import { writeTrainedModel, type TrainedModelInput } from '../../../training/trained-model.ts';
import { openSafetensors } from '../../../training/weights/safetensors-file.ts';
import { relativeDeviation } from '../graph/evaluation.ts';
import { temporaryFolder } from '../loop/small-training.ts';
import {
  FIXTURES,
  openAdapted,
  readLoraFixture,
  tensorsOf,
  type AdaptedOptions,
  type AdaptedSession,
  type LoraFixture,
} from './lora-fixture.ts';

/** How far float32 may lie from PEFT's float64 numbers, relative to the largest of a tensor. */
const TOLERANCE = { logits: 2e-6, loss: 5e-7, gradients: 5e-6 };

/** Half a unit in the last place: the one rounding of a sum in float64. */
const HALF_ULP = 2 ** -24;

let folder = '';
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => rm(folder, { recursive: true }));

describe.each(FIXTURES)('%s', (name) => {
  let fixture: LoraFixture;
  let adapted: AdaptedSession;
  beforeAll(async () => {
    fixture = await readLoraFixture(name);
    adapted = await openAdapted(fixture);
  });
  afterAll(() => adapted.close());

  const written = (): TrainedModelInput => ({
    ...{ directory: folder, config: fixture.config, model: fixture.model },
    adapters: adapted.trainable.adapters,
    weights: (parameter) => adapted.session.weights(parameter),
    labels: fixture.model.task === 'causal-lm' ? null : ['a', 'b', 'c'],
    padTokenId: fixture.model.padTokenId,
  });

  test('trains what PEFT trains', () => {
    const { parameters, frozen } = adapted.trainable;
    expect(parameters.map((spec) => spec.name).toSorted()).toEqual(fixture.reference.trained);
    expect(frozen.length + parameters.length).toBe(
      fixture.model.parameters.length + 2 * adapted.trainable.adapters.length,
    );
  });

  test("loss and gradients are PEFT's", async () => {
    const { session, examples } = adapted;
    const { loss } = await session.computeGradients(examples);
    expect(relativeDeviation([loss], [fixture.reference.loss])).toBeLessThan(TOLERANCE.loss);
    const worst = session.state.tensors.map((tensor) => {
      const expected = fixture.gradients.get(tensor.name) ?? new Float32Array();
      return relativeDeviation(session.state.view('gradients', tensor), expected);
    });
    expect(worst).toHaveLength(fixture.gradients.size);
    expect(Math.max(...worst)).toBeLessThan(TOLERANCE.gradients);
  });

  test("answers are PEFT's; a fresh adapter changes no bit of the base's", async () => {
    const { reference, rows } = fixture;
    const answers = await answersOf(fixture, adapted.session.parameters, adapted.trainable);
    expect(answers.deviation(reference.logits, reference.loss)).toBeLessThan(TOLERANCE.logits);
    const fresh = await openAdapted(fixture, { isFresh: true });
    const base = { adapters: [] };
    const withFresh = await answersOf(fixture, fresh.session.parameters, fresh.trainable);
    const without = await answersOf(fixture, fresh.session.parameters, base);
    expect(withFresh.numbers).toEqual(without.numbers);
    expect(withFresh.numbers).toHaveLength(rows.labels === null ? 1 : rows.ids.length * 3);
    if (rows.labels !== null) {
      expect(without.deviation(reference.base_logits, 0)).toBeLessThan(TOLERANCE.logits);
    }
    await fresh.close();
  });

  test('merged matrices are those of merge_and_unload, and answer alike', async () => {
    const files = await writeTrainedModel(written());
    const merged = await tensorsOf(files['model.safetensors'] ?? '');
    expect([...merged.keys()]).toEqual([...fixture.weights.keys()].toSorted());
    for (const [tensor, values] of merged) {
      const trained = fixture.adapter.get(`base_model.model.${tensor}`);
      const expected = fixture.merged.get(tensor) ?? trained ?? fixture.weights.get(tensor);
      const largest = distance(values, expected ?? new Float32Array());
      expect({ tensor, isClose: largest <= HALF_ULP, largest }).toMatchObject({ isClose: true });
    }
    const runtime = loadRuntime();
    const parameters = Object.fromEntries(
      fixture.model.parameters.map(({ name: parameter, shape }) => {
        const data = new Float32Array(
          new SharedArrayBuffer(4 * (merged.get(parameter)?.length ?? 0)),
        );
        data.set(merged.get(parameter) ?? []);
        return [parameter, runtime.createTensor({ elementType: 'float32', shape, data })];
      }),
    );
    const { reference } = fixture;
    const answers = await answersOf(fixture, () => parameters, { adapters: [] });
    expect(answers.deviation(reference.logits, reference.loss)).toBeLessThan(TOLERANCE.logits);
    Object.values(parameters).forEach((tensor) => tensor.release());
  });

  test("the adapter's files are PEFT's: names, shapes, values, configuration", async () => {
    const files = await writeAdapter({ ...written(), lora: fixture.lora, created: [] });
    expect(Object.keys(files)).toEqual([
      'adapter/adapter_config.json',
      'adapter/adapter_model.safetensors',
    ]);
    const weights = files['adapter/adapter_model.safetensors'] ?? '';
    const peft = `test/fixtures/lora/${name}/adapter_model.safetensors`;
    expect(await shapesOf(weights)).toEqual(await shapesOf(peft));
    expect(await tensorsOf(weights)).toEqual(fixture.adapter);
    const config = JSON.parse(
      await readFile(files['adapter/adapter_config.json'] ?? '', 'utf8'),
    ) as Record<string, unknown>;
    const { base_model_name_or_path: base, ...rest } = config;
    const { target_modules: targets, modules_to_save: saved, ...fields } = rest;
    expect(base).toBeNull();
    expect(fixture.adapterConfig).toMatchObject(fields);
    expect(targets).toEqual(adapted.trainable.adapters.map(({ path }) => path).toSorted());
    // PEFT writes ['classifier', 'score'] for every classifier, as ends of the modules' names.
    expect(saved).toEqual(MODULES_TO_SAVE[name]);
  });
});

const MODULES_TO_SAVE: { readonly [name: string]: readonly string[] | null } = {
  gpt2: ['score'],
  'gpt2-lm': null,
  bert: ['classifier'],
  distilbert: ['classifier', 'pre_classifier'],
  roberta: ['classifier'],
};

interface Answers {
  /** Logits row after row; of a language model the loss alone. */
  readonly numbers: readonly number[];
  /** Relative, from the expected ones. */
  deviation(logits: readonly (readonly number[])[], loss: number): number;
}

async function answersOf(
  { model, rows }: LoraFixture,
  parameters: AdaptedSession['session']['parameters'],
  { adapters }: Pick<AdaptedSession['trainable'], 'adapters'>,
): Promise<Answers> {
  const { padTokenId } = model;
  const names = [...model.parameters, ...adapters.flatMap(({ a, b }) => [a, b])];
  const used = Object.fromEntries(names.map(({ name }) => [name, parameters()[name]!]));
  const predictor = openPredictor({
    ...{ runtime: loadRuntime(), model, adapters, parameters: () => used, padTokenId },
    ...{ limits: PACKING, threads: 1 },
  });
  try {
    if (model.task === 'causal-lm') {
      const { loss } = await predictor.tokenLoss(rows);
      return { numbers: [loss], deviation: (_, expected) => relativeDeviation([loss], [expected]) };
    }
    const numbers = [...(await predictor.predict(rows)).logits];
    return { numbers, deviation: (logits) => relativeDeviation(numbers, logits.flat()) };
  } finally {
    predictor.release();
  }
}

/** The largest difference of two elements, relative to the element. */
function distance(values: Float32Array, expected: Float32Array): number {
  expect(values).toHaveLength(expected.length);
  return values.reduce((largest, value, i) => {
    const other = expected[i] ?? NaN;
    return Math.max(largest, value === other ? 0 : Math.abs(value - other) / Math.abs(other));
  }, 0);
}

async function shapesOf(path: string): Promise<Record<string, readonly number[]>> {
  const file = await openSafetensors(path);
  await file.close();
  return Object.fromEntries(file.tensors.map(({ name, shape }) => [name, shape]));
}

describe('dropout of adapters', () => {
  test.each(['gpt2', 'bert'] as const)('%s: packed it is that of one by one', async (name) => {
    const plain = await readLoraFixture(name);
    const fixture = { ...plain, lora: { ...plain.lora, dropout: 0.5 } };
    const lossOf = async (options: AdaptedOptions): Promise<[number, Float32Array[]]> => {
      const { session, examples, close } = await openAdapted(fixture, options);
      const { loss } = await session.computeGradients(examples);
      const gradients = session.state.tensors.map((tensor) =>
        Float32Array.from(session.state.view('gradients', tensor)),
      );
      await close();
      return [loss, gradients];
    };
    const [packed, gradients] = await lossOf({ dropoutSeed: 1 });
    const apart = { tokensPerPass: 1, tokensPerRow: 1 };
    const [loss, others] = await lossOf({ dropoutSeed: 1, limits: apart });
    expect(relativeDeviation([loss], [packed])).toBeLessThan(5e-7);
    for (const [i, gradient] of gradients.entries()) {
      expect(relativeDeviation(others[i] ?? [], [...gradient])).toBeLessThan(5e-6);
    }
    const [other] = await lossOf({ dropoutSeed: 2 });
    expect(other).not.toBeCloseTo(packed, 4);
    expect(packed).not.toBeCloseTo(fixture.reference.loss, 4);
  });
});

describe('target modules', () => {
  const TINY = { n_embd: 8, n_layer: 2, n_head: 2, vocab_size: 11, n_positions: 8 };
  const BERT = {
    ...{ model_type: 'bert', hidden_size: 8, num_hidden_layers: 1, num_attention_heads: 2 },
    ...{ intermediate_size: 12, vocab_size: 11, max_position_embeddings: 8 },
  };
  const paths = (model: ModelDefinition, targetModules?: readonly string[] | 'all-linear') =>
    model
      .adapters({ r: 2, alpha: 4, dropout: 0, ...(targetModules && { targetModules }) })
      .map(({ path }) => path);

  test.each([
    {
      config: TINY,
      targets: undefined,
      expected: ['transformer.h.0.attn.c_attn', 'transformer.h.1.attn.c_attn'],
    },
    {
      config: TINY,
      targets: ['attn.c_proj', 'transformer.h.1.mlp.c_fc'],
      expected: [
        'transformer.h.0.attn.c_proj',
        'transformer.h.1.attn.c_proj',
        'transformer.h.1.mlp.c_fc',
      ],
    },
    {
      config: { ...TINY, n_layer: 1 },
      targets: 'all-linear' as const,
      expected: ['attn.c_attn', 'attn.c_proj', 'mlp.c_fc', 'mlp.c_proj'].map(
        (path) => `transformer.h.0.${path}`,
      ),
    },
    {
      config: BERT,
      targets: undefined,
      expected: ['query', 'value'].map((path) => `bert.encoder.layer.0.attention.self.${path}`),
    },
    {
      config: BERT,
      targets: 'all-linear' as const,
      expected: [
        ...['attention.self.query', 'attention.self.key', 'attention.self.value'],
        ...['attention.output.dense', 'intermediate.dense', 'output.dense'],
      ]
        .map((path) => `bert.encoder.layer.0.${path}`)
        .concat('bert.pooler.dense'),
    },
  ])('$targets are $expected', ({ config, targets, expected }) => {
    expect(paths(defineModel(config), targets)).toEqual(expected);
  });

  test('one that the model does not have', () => {
    expect(() => paths(defineModel(BERT), ['query', 'q_proj'])).toThrow(
      new Failure(
        'InvalidInput',
        'lora.target_modules: the model has no linear layer "q_proj"; its linear layers are query, ' +
          "key, value, dense, or give 'all-linear'",
      ),
    );
    expect(() => paths(defineModel(TINY), ['score'])).toThrow(
      new Failure(
        'InvalidInput',
        'lora.target_modules: the model has no linear layer "score"; its linear layers are c_attn, ' +
          "c_proj, c_fc, or give 'all-linear'",
      ),
    );
  });
});
