import { expect, test } from 'vitest';
import { meanCrossEntropy, predictedClasses } from '../../evaluation/logits.ts';

const answer = { classes: 3, logits: Float32Array.of(2, 1, 0, 0.5, 0.5, -1, -3, 0, 1000) };

test('cross entropy is the mean of −log softmax at the expected classes, also of large logits', () => {
  // −log(e^2 / (e^2+e^1+e^0)) = 0.40760596444438, −log(e^.5 / (2·e^.5+e^−1)) = 0.79892160951
  const first = Math.log(1 + Math.exp(-1) + Math.exp(-2));
  const second = Math.log(2 + Math.exp(-1.5));
  expect(meanCrossEntropy(answer, [0, 1, 2])).toBeCloseTo((first + second) / 3, 12);
  expect(meanCrossEntropy(answer, [0, 1, 1])).toBeCloseTo((first + second + 1000) / 3, 9);
  expect(first).toBeCloseTo(0.40760596444438, 12);
});

test('a logit that is no number, and a class that is not there, make the loss none', () => {
  const broken = { classes: 2, logits: Float32Array.of(NaN, 1) };
  expect(meanCrossEntropy(broken, [1])).toBeNaN();
  expect(meanCrossEntropy(answer, [0, 1, 3])).toBeNaN();
});

test('the predicted class is the largest logit, the first of equal ones', () => {
  expect([...predictedClasses(answer)]).toEqual([0, 0, 2]);
});
