import { expect, test } from 'vitest';
import { scoreAnswers } from '../../evaluation/scores.ts';

const answer = (classes: number, ...rows: readonly (readonly number[])[]) => ({
  classes,
  logits: Float32Array.from(rows.flat()),
});

test('one class a row: accuracy and cross entropy', () => {
  const { loss, scores } = scoreAnswers(
    'single_label_classification',
    answer(2, [0, 0], [1, 1], [0, Math.log(3)]),
    { labels: Int32Array.of(0, 1, 1), values: null },
  );
  expect(scores).toEqual({ accuracy: 2 / 3 });
  expect(loss).toBeCloseTo((2 * Math.log(2) + Math.log(4 / 3)) / 3, 6);
});

test('several classes a row: as torch and scikit-learn score them', () => {
  const { loss, scores } = scoreAnswers(
    'multi_label_classification',
    answer(3, [2, -1, 0.5], [-0.25, 0.25, -2], [-1, -1, 3]),
    { labels: null, values: Float32Array.of(1, 0, 0, 0, 1, 1, 0, 0, 1) },
  );
  // Given 0 and 2 for 0; 1 for 1 and 2; 2 for 2: three right, one too many, one missed.
  expect(scores).toEqual({ accuracy: 1 / 3, f1_micro: 6 / 8 });
  // torch.nn.BCEWithLogitsLoss()(logits, values), float64.
  expect(loss).toBeCloseTo(0.5964649177946832, 12);
});

test('several classes a row: a logit of 0 is not given, large ones do not overflow', () => {
  const values = Float32Array.of(0, 1);
  const expected = { labels: null, values };
  const zero = scoreAnswers('multi_label_classification', answer(2, [0, 1]), expected);
  expect(zero.scores).toEqual({ accuracy: 1, f1_micro: 1 });
  const large = scoreAnswers('multi_label_classification', answer(2, [1000, -1000]), expected);
  expect(large).toEqual({ loss: 1000, scores: { accuracy: 0, f1_micro: 0 } });
});

test('several classes a row: F1 is 0 where no class is given or expected', () => {
  const none = { labels: null, values: Float32Array.of(0, 0) };
  const { scores } = scoreAnswers('multi_label_classification', answer(2, [-1, -1]), none);
  expect(scores).toEqual({ accuracy: 1, f1_micro: 0 });
});

test('numbers: mean squared and mean absolute error over all of them', () => {
  const values = Float32Array.of(0, 2, 0.5, 1, 1, 0.25);
  // torch.nn.MSELoss and L1Loss.
  expect(
    scoreAnswers('regression', answer(2, [1, 2], [-0.5, 4], [0, 0.25]), { labels: null, values }),
  ).toEqual({ loss: 2, scores: { mse: 2, mae: 1 } });
});

test.each(['single_label_classification', 'multi_label_classification', 'regression'] as const)(
  '%s without right answers is our mistake',
  (problemType) => {
    expect(() =>
      scoreAnswers(problemType, answer(2, [0, 0]), { labels: null, values: null }),
    ).toThrow('internal: rows without answers are not scored');
  },
);
