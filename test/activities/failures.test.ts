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
