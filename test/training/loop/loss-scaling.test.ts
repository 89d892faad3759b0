import { expect, test } from 'vitest';
import { mayRescale, nextScaling, START_SCALING } from '../../../training/loss-scaling.ts';
import reference from '../../fixtures/loss-scaling.json' with { type: 'json' };

test('the scale of the loss is that of torch.amp.GradScaler', () => {
  let scaling = START_SCALING;
  const scales = reference.runs.map(({ steps, overflows }) => {
    for (let step = 0; step < steps; step++) scaling = nextScaling(scaling, overflows);
    return scaling.scale;
  });
  expect(scales).toEqual(reference.runs.map(({ scale }) => scale));
  const skipped = reference.runs.filter(({ overflows }) => overflows);
  expect(scaling.skippedSteps).toBe(skipped.reduce((sum, { steps }) => sum + steps, 0));
});

test('16 steps in a row that overflow are not for float16 to answer', () => {
  let scaling = START_SCALING;
  let halved = 0;
  for (; mayRescale(scaling); halved++) scaling = nextScaling(scaling, true);
  expect([halved, scaling.scale]).toEqual([16, 1]);
});
