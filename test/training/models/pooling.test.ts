import { expect, test } from 'vitest';
import { lastTokenPosition } from '../../../training/models/pooling.ts';

test.each([
  { ids: [5, 6, 7], pad: 0, position: 2, name: 'the last one' },
  { ids: [5, 6, 0, 0], pad: 0, position: 1, name: 'right padding is skipped' },
  { ids: [0, 0, 5, 6], pad: 0, position: 3, name: 'left padding is skipped' },
  { ids: [5, 0, 7, 0], pad: 0, position: 2, name: 'so is a real end token that equals the pad' },
  { ids: [5, 0], pad: 0, position: 0, name: 'only the first is left' },
  { ids: [0, 0], pad: 0, position: 0, name: 'nothing but pads' },
  { ids: [5, 0], pad: null, position: 1, name: 'no pad token' },
])('$name: $ids', ({ ids, pad, position }) => {
  expect(lastTokenPosition(ids, pad)).toBe(position);
});
