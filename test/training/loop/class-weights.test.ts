import { expect, test } from 'vitest';
import { classWeights } from '../../../training/class-weights.ts';
import { smallRows } from './small-training.ts';

const LABELS = ['down', 'flat', 'up'];
const rows = { ...smallRows(6, 1), labels: Int32Array.of(0, 0, 0, 2, 1, 2) };

test("balanced weights are scikit-learn's", () => {
  // compute_class_weight('balanced', classes=[0, 1, 2], y=[0, 0, 0, 2, 1, 2])
  expect(classWeights('balanced', LABELS, rows)).toEqual([6 / 9, 2, 1]);
});

test('weights by label are put in the order of the labels', () => {
  expect(classWeights({ up: 3, down: 1, flat: 0 }, LABELS, rows)).toEqual([1, 0, 3]);
  expect(classWeights([1, 2, 3], LABELS, rows)).toEqual([1, 2, 3]);
});

test.each([
  {
    choice: 'balanced' as const,
    labels: ['down', 'flat', 'up', 'none'],
    message:
      'class_weights is balanced, and no row of train_dataset has the label "none"; take rows of every label, or give the weights',
  },
  {
    choice: [1, 2],
    labels: LABELS,
    message:
      'class_weights has 2 weights, and the dataset 3 labels (down, flat, up); give one a label, in this order',
  },
  {
    choice: { down: 1, flat: 1, uo: 2 },
    labels: LABELS,
    message:
      'class_weights has a weight for "uo", which is no label; give one for each of down, flat, up',
  },
  {
    choice: { down: 1, flat: 1 },
    labels: LABELS,
    message: 'class_weights has no weight for the label "up"; give one for each of down, flat, up',
  },
  {
    choice: [1, 2],
    labels: null,
    message:
      'class_weights needs rows of one class each, and those of train_dataset have none or several; remove it',
  },
])('refuses $choice for $labels', ({ choice, labels, message }) => {
  expect(() => classWeights(choice, labels, rows)).toThrow(
    expect.objectContaining({ type: 'InvalidInput', message }),
  );
});
