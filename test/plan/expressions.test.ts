import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  evaluateCondition,
  evaluateTemplate,
  ExpressionError,
  parseExpression,
  references,
} from '../../plan/expressions.ts';
import type { JsonObject, JsonValue } from '../../plan/json.ts';

const contexts: JsonObject = {
  params: {
    learning_rate: 5e-5,
    tiny: 1.5e-17,
    rows: 1000,
    name: 'tweets',
    flag: false,
    words: ['a', 'b'],
    labels: { Positive: 1, positive: 2, constructor: 3 },
    constructor: 'own',
  },
  env: { OWNER: 'me' },
  run: { id: 'run-1', name: 'tweets', attempt: 1, scheduled_time: '2026-01-01T03:00:00Z' },
  steps: {
    data: { outputs: { dataset: 'sha256:00', rows: 20 }, result: 'success' },
    'to-score': { outputs: { metrics: { accuracy: 0.75 } }, result: 'success' },
    skipped: { outputs: {}, result: 'skipped' },
  },
};

test.each<[string, JsonValue]>([
  // One whole expression keeps its type.
  ['${{ params.learning_rate }}', 5e-5],
  ['${{ params.tiny }}', 1.5e-17],
  ['${{params.rows}}', 1000],
  ['${{ params.flag }}', false],
  ['${{ params.words }}', ['a', 'b']],
  ['${{ params.labels }}', { Positive: 1, positive: 2, constructor: 3 }],
  ['${{ steps.to-score.outputs.metrics.accuracy }}', 0.75],
  ["${{ steps['to-score'].outputs.metrics.accuracy >= 0.6 }}", true],
  ['${{ STEPS.data.Outputs.ROWS }}', 20],
  ['${{ params.labels.positive }}', 2],
  ['${{ params.labels.POSITIVE }}', 1],
  ['${{ params.words[1] }}', 'b'],
  ['${{ params.words.* }}', ['a', 'b']],
  ['${{ null }}', null],
  ['${{ -0 }}', 0],
  // Inside text a value is put in as text.
  ['lr=${{ params.learning_rate }}', 'lr=0.00005'],
  ['${{ params.tiny }}.', '1.5e-17.'],
  ['${{ params.rows }}/${{ params.name }}', '1000/tweets'],
  ['${{ params.flag }} ', 'false '],
  ['[${{ params.nothing }}]', '[]'],
  ['no expression: $ { } {{ }}', 'no expression: $ { } {{ }}'],
  // Strings: doubled quotes, and braces that end nothing.
  ["${{ 'it''s a ''word'' }}' }}", "it's a 'word' }}"],
  ["a ${{ '${{' }} b", 'a ${{ b'],
  // Functions, JSON among them without losing keys.
  ["${{ format('{0}-{1}', params.name, run.attempt) }}", 'tweets-1'],
  ["${{ join(params.words, '+') }}", 'a+b'],
  ["${{ contains(params.words, 'A') }}", true],
  ['${{ fromJSON(\'{"a":1,"A":2,"constructor":3}\') }}', { a: 1, A: 2, constructor: 3 }],
  ['${{ toJSON(params.labels) }}', '{\n  "Positive": 1,\n  "positive": 2,\n  "constructor": 3\n}'],
  ['${{ params.labels == params.labels }}', true],
  ["${{ params.flag && 'yes' || 'no' }}", 'no'],
  // What is not there reads null, and nothing comes from a prototype.
  ['${{ steps.skipped.outputs.model }}', null],
  ['${{ steps.nowhere.outputs.model }}', null],
  ['${{ params.words[7] }}', null],
  ['${{ params.constructor }}', 'own'],
  ['${{ env.constructor }}', null],
  ['${{ env.__proto__ }}', null],
  ["${{ env['hasOwnProperty'] }}", null],
])('%s', (template, expected) => {
  expect(evaluateTemplate(template, contexts)).toEqual(expected);
});

test('evaluates the strings inside a template and leaves the rest', () => {
  const template = {
    list: ['${{ params.rows }}', 7],
    nested: { text: 'x ${{ env.OWNER }}' },
    no: null,
  };
  expect(evaluateTemplate(template, contexts)).toEqual({
    list: [1000, 7],
    nested: { text: 'x me' },
    no: null,
  });
});

test.each<[string, string]>([
  ['${{ params.rows - 1 }}', "unexpected '-'; expressions have no arithmetic"],
  ['${{ params.a == "x" }}', 'unexpected \'"x"\'; write strings in single quotes'],
  ['${{ github.sha }}', "unknown name 'github'; expected one of params, steps, matrix, env, run"],
  [
    '${{ constructor(1) }}',
    "unknown function 'constructor'; expected one of case, contains, endsWith, format, fromJSON, join, startsWith, toJSON",
  ],
  ['${{ (params.rows > 1 }}', "'(' is not closed; add ')'"],
  ["${{ format('{0}', params.words[0) }}", "unexpected ')'"],
  ['${{ params.words[0 }}', "'[' is not closed; add ']'"],
  ['${{ (params.rows > }}', "a value is missing after '>'"],
  ['${{ params. }}', "a value is missing after '.'"],
  ['${{ not params.flag }}', "unexpected 'not'; write '!'"],
  ['${{ Not(params.flag) }}', "unexpected 'Not'; write '!'"],
  ['${{ params.flag OR true }}', "unexpected 'OR'; write '||'"],
  ['${{ }}', 'the expression is empty; write a value inside'],
  ['x ${{ params.rows', "'x ${{ params.rows' has '${{' without '}}'"],
  [
    '${{ secrets.TOKEN }}',
    "cannot evaluate '${{ secrets.TOKEN }}': only the worker that runs a step knows secrets",
  ],
  ['${{ success() }}', "cannot evaluate '${{ success() }}': success() can be used only in an if"],
  [
    'x${{ params.labels }}',
    "cannot evaluate '${{ params.labels }}': its value is a map, which cannot stand inside text; use toJSON() or join()",
  ],
  [
    "${{ fromJSON('1e999') }}",
    "cannot evaluate '${{ fromJSON('1e999') }}': its value is Infinity, not a number",
  ],
  [
    "${{ fromJSON('{') }}",
    "cannot evaluate '${{ fromJSON('{') }}': fromJSON() was given '{', which is not JSON",
  ],
  [`\${{ ${'!'.repeat(60)}true }}`, "exceeded max expression depth 50 at '!'"],
  [`\${{ '${'x'.repeat(5000)}' }}`, 'the expression has 5004 characters; expected at most 4096'],
])('refuses %s', (template, message) => {
  const evaluate = (): JsonValue => evaluateTemplate(template, contexts);
  expect(evaluate).toThrow(ExpressionError);
  expect(evaluate).toThrow(message);
});

test('a long chain of operators does not exhaust the stack', () => {
  const chain = `\${{ 1${'==1'.repeat(1300)} }}`;
  expect(evaluateTemplate(chain, contexts)).toBe(true);
});

const allSucceeded = { success: true, failure: false, cancelled: false };
const oneFailed = { success: false, failure: true, cancelled: false };

test.each<[string, boolean, boolean]>([
  // text, after success, after a failure
  ['params.rows > 10', true, false],
  ['${{ params.rows > 10 }}', true, false],
  [' ${{ params.rows < 10 }}\n', false, false],
  ['success()', true, false],
  ['failure()', false, true],
  ['always()', true, true],
  ['!cancelled()', true, true],
  ['failure() && params.rows > 10', false, true],
  ["success() || params.name == 'TWEETS'", true, true],
  ['true', true, false],
  ['false', false, false],
  ['0', false, false],
  ["''", false, false],
  ["'false'", true, false],
  ['params.nothing', false, false],
])('if: %s', (text, afterSuccess, afterFailure) => {
  expect(evaluateCondition(text, contexts, allSucceeded)).toBe(afterSuccess);
  expect(evaluateCondition(text, contexts, oneFailed)).toBe(afterFailure);
});

test('finds what a template reads, and where', () => {
  const text = "${{ steps.a.outputs.x[0]['y z'].*.w }} and ${{ (params.p)[steps.b.outputs.i] }}";
  const found = references({ text: [text], other: 5 });
  const show = found.map(({ context, path }) => [
    context,
    ...path.map((segment) => {
      if (segment.kind === 'name') return segment.name;
      return segment.kind === 'index' ? segment.index : segment.kind;
    }),
  ]);
  expect(show).toEqual([
    ['steps', 'a', 'outputs', 'x', 0, 'y z', 'star', 'w'],
    ['steps', 'b', 'outputs', 'i'],
    ['params', 'p', 'dynamic'],
  ]);
  const [first] = parseExpression('  steps.data.outputs.rows > 1').references;
  expect(first).toMatchObject({ start: 2, end: 25 });
  expect(parseExpression('(steps.a.outputs.x)').plain?.path).toHaveLength(3);
  expect(parseExpression('steps.a.outputs.x || 1').plain).toBeUndefined();
});

test('every JSON value comes back as it went in', () => {
  const json = fc
    .jsonValue({ maxDepth: 4 })
    .map((value) => JSON.parse(JSON.stringify(value)) as JsonValue);
  fc.assert(
    fc.property(json, (value) => {
      expect(evaluateTemplate('${{ params.value }}', { params: { value } })).toEqual(value);
      const again = evaluateTemplate('${{ fromJSON(toJSON(params.value)) }}', {
        params: { value },
      });
      expect(again).toEqual(value);
    }),
    { numRuns: 300, seed: 1 },
  );
});

test('text that is not an expression is refused by an ExpressionError and nothing else', () => {
  const piece = fc.constantFrom(
    ...[
      "'",
      '"',
      '(',
      ')',
      '[',
      ']',
      '.',
      '*',
      '!',
      '==',
      '&&',
      '||',
      '<',
      ',',
      ' ',
      '\n',
      '-',
      '+',
    ],
    ...[
      'steps',
      'params',
      'a',
      'toJSON',
      'fromJSON',
      'format',
      'constructor',
      '__proto__',
      '1e9',
      '{0}',
      'é',
      '\0',
    ],
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 25 }), (pieces) => {
      try {
        evaluateTemplate(`\${{ ${pieces.join('')} }}`, contexts);
      } catch (error) {
        expect(error).toBeInstanceOf(ExpressionError);
      }
    }),
    { numRuns: 2000, seed: 1 },
  );
});
