import { expect, test } from 'vitest';
import { scoreClassification } from '../../evaluation/classification.ts';

test('scores a three-class outcome as scikit-learn does', () => {
  // sklearn.metrics: accuracy_score, f1_score(average=...), confusion_matrix of these lists.
  const scores = scoreClassification({
    labels: ['negative', 'neutral', 'positive'],
    expected: [0, 0, 1, 1, 1, 2],
    predicted: [0, 1, 1, 1, 2, 2],
  });
  expect(scores).toEqual({
    examples: 6,
    accuracy: 4 / 6,
    f1_macro: expect.closeTo((2 / 3 + 2 / 3 + 2 / 3) / 3, 12),
    f1_weighted: expect.closeTo(2 / 3, 12),
    majority_baseline: 0.5,
    majority_label: 'neutral',
    confusion: [
      [1, 1, 0],
      [0, 2, 1],
      [0, 0, 1],
    ],
    classes: [
      { label: 'negative', precision: 1, recall: 0.5, f1: 2 / 3, support: 2 },
      { label: 'neutral', precision: 2 / 3, recall: 2 / 3, f1: 2 / 3, support: 3 },
      { label: 'positive', precision: 0.5, recall: 1, f1: 2 / 3, support: 1 },
    ],
  });
});

test('a class that is never predicted has precision and F1 zero', () => {
  const { classes, f1_macro } = scoreClassification({
    labels: ['a', 'b'],
    expected: [0, 0, 1],
    predicted: [0, 0, 0],
  });
  expect(classes[1]).toEqual({ label: 'b', precision: 0, recall: 0, f1: 0, support: 1 });
  expect(f1_macro).toBeCloseTo(0.4, 12);
});

test.each([
  { expected: [0], predicted: [0, 1], message: 'internal: 1 expected classes, 2 predicted ones' },
  {
    expected: [0, 2],
    predicted: [0, 1],
    message: 'internal: example 1: class out of range for 2 labels',
  },
])('refuses $message', ({ expected, predicted, message }) => {
  expect(() => scoreClassification({ labels: ['a', 'b'], expected, predicted })).toThrow(message);
});
