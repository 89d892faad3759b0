import { inspect } from 'node:util';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Redactor } from '../../activities/redactor.ts';
import { SecretScanner } from '../../activities/secret-scanner.ts';
import { Failure } from '../../plan/failures.ts';

const SECRET = 'hf_a+b/c "q" é';
const KEY = '-----BEGIN KEY-----\nMIIBVgIBADANBgkq\nend\n';

function redactorOf(...secrets: readonly string[]): Redactor {
  const redactor = new Redactor();
  for (const secret of secrets) redactor.add(secret);
  return redactor;
}

test.each([
  ['plain', `token: ${SECRET}.`, 'token: ***.'],
  ['twice', `${SECRET}${SECRET}`, '******'],
  ['JSON', JSON.stringify({ token: SECRET }), '{"token":"***"}'],
  ['JSON in ASCII', '"hf_a+b/c \\"q\\" \\u00e9"', '"***"'],
  ['JSON with escaped slashes', '"hf_a+b\\/c \\"q\\" é"', '"***"'],
  ['JSON in JSON', JSON.stringify(JSON.stringify([SECRET])), '"[\\"***\\"]"'],
  ['a URL', `https://x/?t=${encodeURIComponent(SECRET)}&a`, 'https://x/?t=***&a'],
  ['a URL in lower case', 'hf_a%2bb%2fc%20%22q%22%20%c3%a9', '***'],
  ['a form', new URLSearchParams({ t: SECRET, a: '1' }).toString(), 't=***&a=1'],
  ['base64', `Basic ${Buffer.from(SECRET).toString('base64')}.`, 'Basic ***.'],
  ['base64 of a URL', `${Buffer.from(SECRET).toString('base64url')}.`, '***.'],
  ['base64 after one byte', Buffer.from(`u${SECRET}`).toString('base64'), 'd***'],
  ['base64 after two bytes', Buffer.from(`ab${SECRET}`).toString('base64'), 'YW***'],
  ['base64 within others', Buffer.from(`user:${SECRET}:x`).toString('base64'), 'dXNlcj***6eA=='],
  ['a part of it', SECRET.slice(1), SECRET.slice(1)],
  ['nothing', 'loss 0.5', 'loss 0.5'],
])('a secret in %s', (_, text, expected) => {
  expect(redactorOf(SECRET).text(text)).toBe(expected);
});

const MARKUP = `R&D<b>'x'+"Ü"/1=2`;

test.each([
  ['Go, Rails', '"R\\u0026D\\u003cb\\u003e\'x\'+\\"Ü\\"/1=2"'],
  ['Gson', '"R\\u0026D\\u003cb\\u003e\\u0027x\\u0027+\\"Ü\\"/1\\u003d2"'],
  ['.NET', '"R\\u0026D\\u003Cb\\u003E\\u0027x\\u0027\\u002B\\u0022\\u00DC\\u0022/1=2"'],
  ['Python', '"R&D<b>\'x\'+\\"\\u00dc\\"/1=2"'],
  ['Jackson in ASCII', '"R&D<b>\'x\'+\\"\\u00DC\\"/1=2"'],
  ['PHP', '"R&D<b>\'x\'+\\"\\u00dc\\"\\/1=2"'],
  ['PHP for HTML', '"R\\u0026D\\u003Cb\\u003E\\u0027x\\u0027+\\u0022\\u00dc\\u0022\\/1=2"'],
])(
  'a secret in JSON as %s writes it, also in JSON, in an object of console and in base64',
  (_, json) => {
    expect(JSON.parse(json)).toBe(MARKUP);
    const redactor = redactorOf(MARKUP);
    expect(redactor.text(json)).toBe('"***"');
    expect(redactor.text(JSON.stringify({ body: json }))).toBe('{"body":"\\"***\\""}');
    expect(redactor.text(inspect({ body: json }, { breakLength: Infinity }))).toMatch(
      /^{ body: ['`]"\*\*\*"['`] }$/,
    );
    for (const before of ['', '1', '12']) {
      const holder = Buffer.from(`${before}${json}`);
      for (const digits of [holder.toString('base64'), holder.toString('base64url')]) {
        const left = redactor.text(digits);
        expect(left).toContain('***');
        expect(left.length).toBeLessThanOrEqual('***'.length + 8);
      }
    }
  },
);

test.each([
  ['a backslash', 'domain\\user-1'],
  ['a double quote', 'pass"word-1'],
  ['an apostrophe', "pass'word-1"],
  ['every quote', 'pass\'"`word-1'],
  ['an apostrophe and a backtick', "pass'`word-1"],
  ['a control character', 'pass\u001bword-1'],
  ['an escape of JSON', 'pass\\u00e9word-1'],
])('a secret with %s, in JSON that console prints in an object', (_, secret) => {
  for (const around of ['', "'", '`', "'`"]) {
    const text = inspect({ body: JSON.stringify({ around, secret }) });
    expect(redactorOf(secret).text(text)).toContain('"secret":"***"}');
  }
});

test.each([
  ['whole', `<${KEY}>`, '<***>'],
  ['with its end cut off', `<${KEY.trim()}>`, '<***>'],
  ['line by line', KEY.replaceAll('\n', '\r\n> '), '***\r\n> ***\r\n> end\r\n> '],
  ['in JSON', JSON.stringify(KEY), '"***"'],
])('a secret of several lines, %s', (_, text, expected) => {
  expect(redactorOf(KEY).text(text)).toBe(expected);
});

test('secrets that overlap leave nothing of either', () => {
  expect(redactorOf('abcdefghij', 'ghijklmnop').text('<abcdefghijklmnop>')).toBe('<***>');
  expect(redactorOf('abcdefgh', 'abcdefghijkl').text('<abcdefghijkl>')).toBe('<***>');
  expect(redactorOf('aaaaaaaa').text('a'.repeat(20))).toBe('***');
  // What is left beside a mark may be one again.
  expect(redactorOf('password1', 'left***right').text('leftpassword1right')).toBe('***');
});

test('JSON values, with the keys of maps', () => {
  const value = { phase: `at ${SECRET}`, [SECRET]: [SECRET, 1, null, true] };
  expect(redactorOf(SECRET).value(value)).toEqual({
    phase: 'at ***',
    '***': ['***', 1, null, true],
  });
});

test('a failure keeps its type and its delay, and its causes lose the secret too', () => {
  const bottom = new TypeError(`bad header "${SECRET}"`);
  const middle = new Error('fetch failed', { cause: bottom });
  const failure = new Failure('RateLimited', `said ${SECRET}`, { cause: middle, retryAfterMs: 7 });
  const redacted = redactorOf(SECRET).failure(failure);
  expect(redacted).toBeInstanceOf(Failure);
  expect(redacted).toMatchObject({ type: 'RateLimited', message: 'said ***', retryAfterMs: 7 });
  const cause = redacted.cause as Error;
  expect([cause.message, (cause.cause as Error).message, (cause.cause as Error).name]).toEqual([
    'fetch failed',
    'bad header "***"',
    'TypeError',
  ]);
  const stacks = [redacted, cause, cause.cause as Error].map(({ stack }) => stack);
  expect(stacks.join('\n')).not.toContain(SECRET);
  expect(stacks.join('\n')).toContain('redactor.test.ts');
});

test('what an activity ends with keeps its class', () => {
  const redactor = redactorOf(SECRET);
  const failure = ApplicationFailure.create({
    ...{ type: 'InvalidInput', message: SECRET, nonRetryable: true, details: [{ at: SECRET }] },
    cause: new Error(SECRET),
  });
  const redacted = redactor.error(failure) as ApplicationFailure;
  expect(redacted).toBeInstanceOf(ApplicationFailure);
  expect(redacted).toMatchObject({
    ...{ type: 'InvalidInput', message: '***', nonRetryable: true, details: [{ at: '***' }] },
  });
  expect([redacted.stack, redacted.cause?.message].join()).not.toContain(SECRET);
  const cancelled = new CancelledFailure('CANCELLED');
  expect(redactor.error(cancelled)).toBe(cancelled);
  const other = new Error('another matter');
  expect(redactor.error(other)).toBe(other);
  expect(redactor.error({ token: SECRET })).toMatchObject({ message: "{ token: '***' }" });
});

/** Ways in which a text may come to hold a secret. */
const ENCODINGS: readonly ((text: string) => string)[] = [
  (text) => text,
  (text) => JSON.stringify(text).slice(1, -1),
  (text) => JSON.stringify(JSON.stringify(text)).slice(3, -3),
  encodeURIComponent,
  (text) => new URLSearchParams({ _: text }).toString().slice(2),
  (text) => Buffer.from(text).toString('base64'),
  (text) => Buffer.from(text).toString('base64').replace(/=+$/, ''),
  (text) => Buffer.from(text).toString('base64url'),
  (text) => inspect(JSON.stringify(text), { breakLength: Infinity }).slice(2, -2),
  (text) => Buffer.from(JSON.stringify(text).slice(1, -1)).toString('base64'),
];
const secretText = fc.string({ minLength: 8, maxLength: 40, unit: 'grapheme' });
const encoded = fc.record({
  encoding: fc.constantFrom(...ENCODINGS),
  before: fc.string({ maxLength: 20 }),
  isInside: fc.boolean(),
});

test('whatever stands around a secret, no form of it is left', () => {
  fc.assert(
    fc.property(secretText, fc.array(encoded, { maxLength: 6 }), (secret, pieces) => {
      const redactor = redactorOf(secret);
      const text = pieces
        .map(({ encoding, before, isInside }) =>
          isInside ? encoding(before + secret + before) : before + encoding(secret),
        )
        .join(' ');
      const redacted = redactor.text(text);
      for (const encoding of ENCODINGS) expect(redacted).not.toContain(encoding(secret));
      // Encoded with other text a secret has no text of its own: it is not there once decoded.
      for (const digits of redacted.match(/[A-Za-z0-9+/_-]{8,}/g) ?? []) {
        expect(Buffer.from(digits, 'base64').toString()).not.toContain(secret);
      }
      const found = new SecretScanner(new Map([['S', secret]])).nameIn(Buffer.from(redacted));
      expect(found).toBeUndefined();
      if (pieces.length > 0) {
        expect(redacted).toContain('***');
        expect(new SecretScanner(new Map([['S', secret]])).nameIn(Buffer.from(text))).toBe('S');
      }
    }),
    { numRuns: 200 },
  );
});

test('text without a secret stays as it is', () => {
  fc.assert(
    fc.property(secretText, fc.string({ maxLength: 200, unit: 'grapheme' }), (secret, text) => {
      fc.pre(new SecretScanner(new Map([['S', secret]])).nameIn(Buffer.from(text)) === undefined);
      expect(redactorOf(secret).text(text)).toBe(text);
    }),
  );
});

test('a scanner finds a secret however its bytes come in pieces', async () => {
  const scanner = new SecretScanner(
    new Map([
      ['OTHER', 'other secret'],
      ['TOKEN', SECRET],
    ]),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...ENCODINGS),
      fc.nat({ max: 50 }),
      fc.integer({ min: 1, max: 40 }),
      async (encoding, offset, size) => {
        const bytes = Buffer.from(`${'.'.repeat(offset)}${encoding(SECRET)}${'.'.repeat(9)}`);
        async function* pieces(): AsyncGenerator<Uint8Array> {
          for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
        }
        expect(await scanner.nameInStream(pieces())).toBe('TOKEN');
      },
    ),
  );
});
