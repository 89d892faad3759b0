import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { defineModel } from '../../../training/model.ts';
import { gradientName } from '../../../training/models/model-graph.ts';
import { stepExamples } from '../../../training/step-examples.ts';
import { relativeDeviation } from '../graph/evaluation.ts';
import {
  inOneRow,
  readModelFixture,
  rowsOf,
  runModel,
  trainingGraph,
  valuesOf,
} from './model-fixture.ts';
import { TOLERANCE } from './model-run.ts';

/** bert-reference with another head and loss; see make-encoder-reference.py. */
interface ObjectiveCase {
  readonly name: string;
  readonly problem_type: string;
  readonly num_labels: number;
  /** Classes, or values of each example. */
  readonly targets: readonly number[] | readonly (readonly number[])[];
  readonly label_smoothing?: number;
  readonly class_weights?: readonly number[];
  /** Examples of a micro-batch; without it they are one batch. */
  readonly micro_batch?: number;
  readonly head: { readonly [parameter: string]: readonly number[] };
  readonly logits: readonly (readonly number[])[];
  readonly loss: number;
  readonly gradients: { readonly [parameter: string]: readonly number[] };
}

const fixture = await readModelFixture('bert-reference');
const file = new URL('../../fixtures/objectives.json', import.meta.url);
const cases = JSON.parse(await readFile(file, 'utf8')) as readonly ObjectiveCase[];

/** The epoch's rows by micro-batch. */
function batchesOf(size: number): readonly Uint32Array[] {
  const rows = Uint32Array.from(fixture.examples.keys());
  const starts = Array.from({ length: Math.ceil(rows.length / size) }, (_, i) => i * size);
  return starts.map((start) => rows.subarray(start, start + size));
}

test.each(cases)('$name: logits, loss and gradients are those of torch', async (given) => {
  const { num_labels, problem_type, label_smoothing = 0, class_weights } = given;
  const { id2label: _, ...config } = fixture.config;
  const model = defineModel({ ...config, num_labels, problem_type });
  const isClasses = problem_type === 'single_label_classification';
  const targets = given.targets.flat();
  const rows = {
    ...rowsOf(fixture.examples),
    labels: isClasses ? Int32Array.from(targets) : null,
    values: isClasses ? null : Float32Array.from(targets),
    valuesPerRow: isClasses ? 0 : num_labels,
  };
  const examples = stepExamples(
    {
      ...{ rows, model, padTokenId: model.padTokenId, dropoutSeed: undefined },
      ...(class_weights && { classWeights: class_weights }),
    },
    batchesOf(given.micro_batch ?? fixture.examples.length),
    0,
  );
  const head = Object.entries(given.head).map(
    ([name, values]) => [name, Float32Array.from(values)] as const,
  );
  const outputs = await runModel({
    model: trainingGraph(model, { labelSmoothing: label_smoothing }),
    weights: new Map([...fixture.weights, ...head]),
    examples,
    pass: inOneRow(examples),
    ...{ padTokenId: model.padTokenId, valuesWidth: model.valuesWidth },
  });
  expect(relativeDeviation(valuesOf(outputs, 'logits'), given.logits.flat())).toBeLessThan(
    TOLERANCE.logits,
  );
  expect(relativeDeviation(valuesOf(outputs, 'loss'), [given.loss])).toBeLessThan(TOLERANCE.loss);
  for (const [name, expected] of Object.entries(given.gradients)) {
    const deviation = relativeDeviation(valuesOf(outputs, gradientName(name)), expected);
    expect([name, deviation < TOLERANCE.gradients]).toEqual([name, true]);
  }
});
