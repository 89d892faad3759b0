import type { ApplicationFailure } from '@temporalio/common';
import { expect, test } from 'vitest';
import { endOfAttempt, toApplicationFailure, toFailure } from '../../activities/failures.ts';
import { Redactor } from '../../activities/redactor.ts';
import { Failure } from '../../plan/failures.ts';

const SECRET = 'hf_abcdefghij';

function ended(maxAttempts: number, reported: number): ApplicationFailure {
  const retry = { maxAttempts, backoffMs: 1000, maxBackoffMs: 1000 };
  const failure = new Failure('Internal', 'broken');
  return toApplicationFailure(failure, { retry, reported, attempt: reported });
}

test.each([
  [3, 2, 'broken', false],
  [2, 2, 'broken (2 of 2 attempts)', true],
  // What an attempt reported before its input was made again counts, too.
  [1, 2, 'broken (2 attempts; max_attempts is 1)', true],
  [1, 1, 'broken', true],
])('of at most %i attempts after %i failed ones', (maxAttempts, reported, message, isLast) => {
  expect(ended(maxAttempts, reported)).toMatchObject({ message, nonRetryable: isLast });
});

test.each<[unknown, string]>([
  ['text', 'text'],
  [undefined, 'undefined'],
  [{ status: 503 }, '{ status: 503 }'],
  [[1, { a: { b: { c: { d: 1 } } } }], '[ 1, { a: { b: { c: [Object] } } } ]'],
  [
    new (class Refusal {
      readonly code = 7;
    })(),
    'Refusal { code: 7 }',
  ],
])('what is thrown and is no error reads as console shows it: %j', (thrown, message) => {
  expect(toFailure(thrown)).toMatchObject({ type: 'Internal', message });
});

test('an object that is thrown loses its secrets', () => {
  const redactor = new Redactor();
  redactor.add(SECRET);
  const end = endOfAttempt({ headers: { authorization: `Bearer ${SECRET}` } }, redactor);
  expect(end.message).toBe("{ headers: { authorization: 'Bearer ***' } }");
});

test('a long message is cut in its middle, after its secrets are gone', () => {
  const redactor = new Redactor();
  redactor.add(SECRET);
  const end = endOfAttempt(new Error(`${SECRET.repeat(10_000)} at its end`), redactor);
  expect(end.message).toMatch(/^[*]{8000} … [*]{1989} at its end$/);
});

const SYSTEM_ERRORS: readonly [NodeJS.ErrnoException | RangeError, string, string][] = [
  [
    Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' }),
    ...(['DiskFull', 'free some room; the step continues at its next attempt'] as const),
  ],
  [
    Object.assign(new Error("ENOMEM: not enough memory, scandir '/x'"), { code: 'ENOMEM' }),
    ...(['OutOfMemory', 'use a smaller batch or a worker with more memory'] as const),
  ],
  [
    new RangeError('Array buffer allocation failed'),
    ...(['OutOfMemory', 'use a smaller batch or a worker with more memory'] as const),
  ],
];

test.each(SYSTEM_ERRORS)('%s is a failure with a remedy', (error, type, remedy) => {
  expect(toFailure(error)).toMatchObject({ type, message: `${error.message}: ${remedy}` });
});

test.each([
  Object.assign(new Error('odd'), { code: 'constructor' }),
  new RangeError('Invalid array length'),
])('%s is no failure of the system', (error) => {
  expect(toFailure(error)).toMatchObject({ type: 'Internal', message: error.message });
});
