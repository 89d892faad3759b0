import { fromBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema } from 'onnx-buf';
import { expect, test } from 'vitest';
import { gradientName } from '../../../training/models/model-graph.ts';
import type { Objective } from '../../../training/models/objectives.ts';
import { importClassifier } from '../../../training/onnx/classifier.ts';
import { evaluator, relativeDeviation, type NamedNumbers } from '../graph/evaluation.ts';
import {
  EXPORT_NAMES,
  paddedRows,
  readFixture,
  runClassifier,
  SINGLE_LABEL,
  trainOn,
  type OnnxFixture,
} from './onnx-fixture.ts';

/** How far our float32 numbers may lie from torch's float64 ones, relative to the largest. */
const TOLERANCE = { logits: 2e-6, loss: 5e-7, gradients: 5e-6 };

/** A key's bias shifts all scores of a query alike: its true gradient is 0, torch's own 1e-17. */
const ZERO_GRADIENT = /\.(key|k_lin)\.bias$/;

test.each(EXPORT_NAMES)('%s: logits, loss and every gradient are those of torch', async (name) => {
  const { classifier, reference, gradients } = await readFixture(name);
  const outputs = await trainOn(classifier, reference);
  const valuesOf = (output: string): readonly number[] => outputs.get(output) ?? [];
  expect(relativeDeviation(valuesOf('logits'), reference.logits.flat())).toBeLessThan(
    TOLERANCE.logits,
  );
  expect(relativeDeviation(valuesOf('loss'), [reference.loss])).toBeLessThan(TOLERANCE.loss);
  const names = classifier.parameters.map(({ name: parameter }) => parameter);
  expect(names.toSorted()).toEqual([...gradients.keys()].toSorted());
  for (const [parameter, expected] of gradients) {
    const found = valuesOf(gradientName(parameter));
    if (ZERO_GRADIENT.test(parameter)) {
      expect([parameter, Math.max(...found.map(Math.abs)) < 1e-7]).toEqual([parameter, true]);
    } else {
      const deviation = relativeDeviation(found, expected);
      expect([parameter, deviation < TOLERANCE.gradients]).toEqual([parameter, true]);
    }
  }
});

test.each(EXPORT_NAMES)(
  '%s: our graph answers what ONNX Runtime answers of the file',
  async (name) => {
    const fixture = await readFixture(name);
    const { classifier, reference } = fixture;
    const examples = reference.examples.slice(0, 4);
    const outputs = await runClassifier({
      classifier,
      graph: classifier.inferenceGraph(SINGLE_LABEL),
      examples,
      padTokenId: reference.pad_token_id,
    });
    expect([...outputs.keys()]).toEqual(['logits', 'losses']);
    const expected = await answersOfFile(fixture, fixture.bytes);
    expect(relativeDeviation(outputs.get('logits') ?? [], expected)).toBeLessThan(5e-7);
  },
);

test.each(EXPORT_NAMES)(
  '%s: a saved file has the new weights, and all else as it was',
  async (name) => {
    const fixture = await readFixture(name);
    const { classifier, reference } = fixture;
    const changed = new Map(
      classifier.parameters.map(({ name: parameter }) => [
        parameter,
        classifier.weights(parameter).map((value) => value * 0.9),
      ]),
    );
    const weights = (parameter: string): Float32Array =>
      changed.get(parameter) ?? new Float32Array();
    const saved = classifier.saved(weights);
    const again = importClassifier(saved);
    for (const [parameter, values] of changed) expect(again.weights(parameter)).toEqual(values);
    expect({ ...again, ...functionsOf(classifier) }).toEqual(classifier);
    const outputs = await runClassifier({
      classifier,
      graph: classifier.inferenceGraph(SINGLE_LABEL),
      examples: reference.examples.slice(0, 4),
      padTokenId: reference.pad_token_id,
      weights: changed,
    });
    const expected = await answersOfFile(fixture, saved);
    expect(relativeDeviation(outputs.get('logits') ?? [], expected)).toBeLessThan(5e-7);
    expect(classifier.saved((parameter) => classifier.weights(parameter))).toEqual(
      new Uint8Array(fixture.bytes),
    );
  },
);

test('only trainable parameters have a gradient, the same as if all had', async () => {
  const { classifier, reference } = await readFixture('bert-torchscript17-dynamic');
  const trainable = ['model.classifier.weight', 'model.bert.embeddings.LayerNorm.bias'];
  const all = await trainOn(classifier, reference);
  const some = await trainOn(classifier, reference, trainable);
  expect([...some.keys()]).toEqual(['logits', 'loss', ...trainable.map(gradientName)]);
  for (const [name, values] of some) expect([name, values]).toEqual([name, all.get(name)]);
});

test.each<Objective>([
  { problemType: 'multi_label_classification', labelSmoothing: 0 },
  { problemType: 'regression', labelSmoothing: 0 },
])('$problemType compares with values', async (objective) => {
  const { classifier } = await readFixture('mlp-torchscript13-dynamic');
  const { inputs } = classifier.trainingGraph(objective, []);
  expect(inputs.find(({ name }) => name === 'label_values')?.shape).toEqual(['E', 3]);
});

test.each(['bert-dynamo18-dynamic', 'gpt2-torchscript17-dynamic'])(
  '%s: gradients have the same bits on any number of threads',
  async (name) => {
    const { classifier, reference } = await readFixture(name);
    const on = (threads: number): Promise<unknown> =>
      trainOn(classifier, reference, undefined, threads);
    const one = await on(1);
    expect(await on(2)).toEqual(one);
    expect(await on(4)).toEqual(one);
  },
);

function functionsOf(classifier: object): object {
  return Object.fromEntries(
    Object.entries(classifier).filter(([, value]) => typeof value === 'function'),
  );
}

/** Logits of a file itself for the first four examples, as ONNX Runtime computes them. */
async function answersOfFile(
  { classifier, reference }: OnnxFixture,
  onnx: Uint8Array,
): Promise<readonly number[]> {
  const examples = reference.examples.slice(0, 4);
  const rows = paddedRows(classifier, examples, reference.pad_token_id);
  const T = classifier.tokens ?? 'T';
  const given: NamedNumbers = {
    input_ids: rows,
    attention_mask: {
      shape: rows.shape,
      data: examples.flatMap(({ input_ids }) =>
        Array.from({ length: rows.shape[1] ?? 0 }, (_, i) => Number(i < input_ids.length)),
      ),
    },
    token_type_ids: { shape: rows.shape, data: Array.from(rows.data, () => 0) },
  };
  const names = fileInputs(onnx);
  const compiled = evaluator({
    onnx,
    inputs: names.map((name) => ({ name, dtype: 'int64', shape: [classifier.rows ?? 'R', T] })),
    outputs: [{ name: 'logits', dtype: 'float32', shape: [examples.length, classifier.classes] }],
  });
  const { logits = [] } = await compiled.run(given);
  compiled.release();
  return Array.from(logits, Number);
}

function fileInputs(onnx: Uint8Array): readonly string[] {
  return (fromBinary(ModelProtoSchema, onnx).graph?.input ?? []).map(({ name }) => name);
}
