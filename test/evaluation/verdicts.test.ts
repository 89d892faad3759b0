import { expect, test } from 'vitest';
import { judgeCurves, type CurveRow, type Verdict } from '../../evaluation/verdicts.ts';

/** Twenty rows of training losses a training of 200 steps, ten an epoch, jumping about a little. */
function training(lossAt: (share: number) => number): readonly CurveRow[] {
  return Array.from({ length: 20 }, (_, i) => {
    const share = i / 19;
    const jump = 1 + 0.02 * Math.sin(7 * i);
    return { step: 10 * (i + 1), epoch: (i + 1) / 10, loss: lossAt(share) * jump };
  });
}

/** An evaluation each 50 steps. */
function evaluations(
  losses: readonly number[],
  accuracies: readonly number[] = [],
): readonly CurveRow[] {
  return losses.map((loss, i) => {
    const accuracy = accuracies[i];
    return {
      step: 50 * (i + 1),
      epoch: (i + 1) / 2,
      eval_loss: loss,
      ...(accuracy !== undefined && { eval_accuracy: accuracy }),
    };
  });
}

const falling = training((share) => 1.1 * Math.exp(-2 * share));
const flat = training(() => 1.08);

interface Case {
  readonly what: string;
  readonly history: readonly CurveRow[];
  readonly majority?: number;
  readonly hasBestModel?: boolean;
  readonly expected: Verdict;
}

const CASES: readonly Case[] = [
  {
    what: 'both losses fall and level off',
    history: [...falling, ...evaluations([0.8, 0.7, 0.66, 0.66], [0.6, 0.66, 0.68, 0.69])],
    majority: 0.43,
    expected: {
      verdict: 'good',
      reasons: [
        'the training loss fell from 0.911 to 0.185',
        "the evaluation's loss is 0.66 at the end, with an accuracy of 69.0 %; its lowest was 0.66, at step 150",
      ],
    },
  },
  {
    what: 'both losses are still falling',
    history: [...falling, ...evaluations([0.9, 0.8, 0.7, 0.6], [0.5, 0.55, 0.6, 0.65])],
    majority: 0.43,
    expected: {
      verdict: 'good',
      reasons: [
        'the training loss fell from 0.911 to 0.185',
        "the evaluation's loss is 0.6 at the end, with an accuracy of 65.0 %; its lowest was 0.6, at step 200",
        'both losses were still falling: more epochs may make it better',
      ],
    },
  },
  {
    what: "the evaluation's loss rises while the training loss falls",
    history: [...falling, ...evaluations([0.8, 0.71, 0.79, 0.93], [0.6, 0.66, 0.66, 0.65])],
    majority: 0.43,
    expected: {
      verdict: 'overfit',
      reasons: [
        "the evaluation's loss rose from 0.71 at step 100 to 0.93 at step 200, while the training loss fell on, from 0.448 to 0.159",
        'train fewer epochs, or set load_best_model_at_end and early_stopping; more rows, weight_decay or dropout help too',
      ],
    },
  },
  {
    what: 'the same, but the best model was kept',
    history: [...falling, ...evaluations([0.8, 0.71, 0.79, 0.93])],
    hasBestModel: true,
    expected: {
      verdict: 'overfit',
      reasons: [
        "the evaluation's loss rose from 0.71 at step 100 to 0.93 at step 200, while the training loss fell on, from 0.448 to 0.159",
        'the model is that of the best evaluation; early_stopping would have saved the steps after it',
      ],
    },
  },
  {
    what: "the evaluation's loss moves by noise after its best",
    history: [...falling, ...evaluations([0.8, 0.71, 0.73, 0.72], [0.6, 0.66, 0.66, 0.67])],
    majority: 0.43,
    expected: {
      verdict: 'good',
      reasons: [
        'the training loss fell from 0.911 to 0.185',
        "the evaluation's loss is 0.72 at the end, with an accuracy of 67.0 %; its lowest was 0.71, at step 100",
      ],
    },
  },
  {
    what: 'both losses rise: nothing was learned too well',
    history: [
      ...training((share) => 1.1 + share),
      ...evaluations([1.1, 1.2, 1.4, 1.6], [0.43, 0.43, 0.43, 0.43]),
    ],
    majority: 0.43,
    expected: {
      verdict: 'underfit',
      reasons: [
        'the training loss rose, from 1.22 to 1.99',
        "the evaluation's accuracy is 43.0 % at best, and always answering the most frequent label gives 43.0 %",
        'train more epochs or with a higher learning_rate; if the loss jumped about instead, with a lower one; or look whether texts and labels belong together',
      ],
    },
  },
  {
    what: 'nothing moves',
    history: [...flat, ...evaluations([1.08, 1.08, 1.07, 1.07], [0.44, 0.43, 0.44, 0.44])],
    majority: 0.43,
    expected: {
      verdict: 'underfit',
      reasons: [
        'the training loss hardly fell, from 1.09 to 1.08',
        "the evaluation's accuracy is 44.0 % at best, and always answering the most frequent label gives 43.0 %",
        'train more epochs or with a higher learning_rate; if the loss jumped about instead, with a lower one; or look whether texts and labels belong together',
      ],
    },
  },
  {
    what: 'nothing moves, and there is no evaluation',
    history: flat,
    expected: {
      verdict: 'underfit',
      reasons: [
        'the training loss hardly fell, from 1.09 to 1.08',
        'train more epochs or with a higher learning_rate; if the loss jumped about instead, with a lower one; or look whether texts and labels belong together',
      ],
    },
  },
  {
    what: 'a tuned model is tuned on: nothing was left to learn',
    history: [
      ...training(() => 0.2),
      ...evaluations([0.31, 0.31, 0.31, 0.31], [0.9, 0.9, 0.9, 0.9]),
    ],
    majority: 0.43,
    expected: {
      verdict: 'good',
      reasons: [
        'the training loss went from 0.202 to 0.199',
        "the evaluation's loss is 0.31 at the end, with an accuracy of 90.0 %; its lowest was 0.31, at step 50",
      ],
    },
  },
  {
    what: 'a language model learns a little',
    history: [...training((share) => 3.5 - 0.3 * share), ...evaluations([3.4, 3.35, 3.33, 3.32])],
    expected: {
      verdict: 'good',
      reasons: [
        'the training loss fell from 3.51 to 3.22',
        "the evaluation's loss is 3.32 at the end; its lowest was 3.32, at step 200",
      ],
    },
  },
  {
    what: 'no evaluation',
    history: falling,
    expected: {
      verdict: 'unclear',
      reasons: [
        'the training loss fell from 0.911 to 0.185',
        'without evaluations nobody knows whether it learned more than these rows: add an eval_dataset',
      ],
    },
  },
  {
    what: 'a short training',
    history: falling.slice(0, 1),
    expected: {
      verdict: 'unclear',
      reasons: [
        'the history has 1 row of training losses, too few for a curve: lower logging_steps, or train longer',
      ],
    },
  },
];

test.each(CASES)('$what: $expected.verdict', ({ history, majority, hasBestModel, expected }) => {
  const curves = {
    history,
    majorityAccuracy: majority ?? null,
    hasBestModel: hasBestModel ?? false,
  };
  expect(judgeCurves(curves)).toEqual(expected);
});
