import { expect, test } from 'vitest';
import { gradientName } from '../../../training/models/model-graph.ts';
import { relativeDeviation } from '../graph/evaluation.ts';
import { EXPORT_NAMES, readFixture, runClassifier } from './onnx-fixture.ts';

/** How far our float32 numbers may lie from torch's float64 ones, relative to the largest. */
const TOLERANCE = { logits: 2e-6, loss: 5e-7, gradients: 5e-6 };

test.each(EXPORT_NAMES)('%s: logits, loss and every gradient are those of torch', async (name) => {
  const { classifier, reference, gradients } = await readFixture(name);
  const outputs = await runClassifier({
    classifier,
    graph: classifier.trainingGraph(),
    examples: reference.examples,
    padTokenId: reference.pad_token_id,
  });
  const deviation = (output: string, expected: ArrayLike<number>): number =>
    relativeDeviation(outputs.get(output) ?? [], expected);
  console.log(
    name,
    deviation('logits', reference.logits.flat()),
    deviation('loss', [reference.loss]),
  );
  expect(classifier.parameters.map(({ name: parameter }) => parameter).toSorted()).toEqual(
    [...gradients.keys()].toSorted(),
  );
  for (const [parameter, expected] of gradients)
    console.log(
      parameter,
      Math.max(...expected.map(Math.abs)),
      deviation(gradientName(parameter), expected),
    );
});
