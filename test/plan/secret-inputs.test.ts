import { expect, test } from 'vitest';
import { evaluateInputs, secretNames } from '../../plan/secret-inputs.ts';
import type { EvaluatedInputs } from '../../plan/secret-inputs.ts';
import type { JsonObject } from '../../plan/json.ts';

const CONTEXTS = {
  params: { host: 'example.com', rows: 5, forged: '${{ secrets.TOKEN }}' },
  steps: { data: { outputs: { label: 'a ${{ secrets.TOKEN }} b' }, result: 'success' } },
};

const CASES: readonly (readonly [string, JsonObject, EvaluatedInputs])[] = [
  ['no secret', { rows: '${{ params.rows }}' }, { inputs: { rows: 5 }, secrets: [] }],
  [
    'one secret and nothing else',
    { token: '${{ secrets.TOKEN }}' },
    {
      inputs: { token: '${{ secrets.TOKEN }}' },
      secrets: [{ path: ['token'], parts: [{ secret: 'TOKEN' }] }],
    },
  ],
  [
    'spaces, brackets, parentheses and case of the context',
    { token: "${{(Secrets['TOKEN'])}}" },
    {
      inputs: { token: '${{ secrets.TOKEN }}' },
      secrets: [{ path: ['token'], parts: [{ secret: 'TOKEN' }] }],
    },
  ],
  [
    'secrets in longer text, with other expressions',
    { url: 'https://${{ secrets.USER }}:${{secrets.WORD}}@${{ params.host }}/${{ params.rows }}' },
    {
      inputs: { url: 'https://${{ secrets.USER }}:${{ secrets.WORD }}@example.com/5' },
      secrets: [
        {
          path: ['url'],
          parts: ['https://', { secret: 'USER' }, ':', { secret: 'WORD' }, '@example.com/5'],
        },
      ],
    },
  ],
  [
    'an expression beside a secret is text, whatever its type',
    { text: '${{ params.rows }}${{ secrets.A }}${{ secrets.B }}' },
    {
      inputs: { text: '5${{ secrets.A }}${{ secrets.B }}' },
      secrets: [{ path: ['text'], parts: ['5', { secret: 'A' }, { secret: 'B' }] }],
    },
  ],
  [
    'in maps and lists',
    { headers: { list: ['x', '${{ secrets.A }}'] } },
    {
      inputs: { headers: { list: ['x', '${{ secrets.A }}'] } },
      secrets: [{ path: ['headers', 'list', 1], parts: [{ secret: 'A' }] }],
    },
  ],
  [
    'text that looks like one, from a param, a step or a string of an expression',
    {
      param: '${{ params.forged }}',
      step: '${{ steps.data.outputs.label }}',
      text: "${{ '${{ secrets.TOKEN }}' }}",
    },
    {
      inputs: {
        param: '${{ secrets.TOKEN }}',
        step: 'a ${{ secrets.TOKEN }} b',
        text: '${{ secrets.TOKEN }}',
      },
      secrets: [],
    },
  ],
  [
    'such text beside a secret',
    { both: '${{ params.forged }} and ${{ secrets.TOKEN }}' },
    {
      inputs: { both: '${{ secrets.TOKEN }} and ${{ secrets.TOKEN }}' },
      secrets: [{ path: ['both'], parts: ['${{ secrets.TOKEN }} and ', { secret: 'TOKEN' }] }],
    },
  ],
];

test.each(CASES)('%s', (_, template, expected) => {
  expect(evaluateInputs(template, CONTEXTS)).toEqual(expected);
});

test.each([
  ["${{ format('{0}', secrets.TOKEN) }}", "format('{0}', secrets.TOKEN)"],
  ['${{ secrets.TOKEN || params.host }}', 'secrets.TOKEN || params.host'],
  ['a ${{ steps[secrets.TOKEN] }}', 'steps[secrets.TOKEN]'],
  ['${{ toJSON(secrets) }}', 'toJSON(secrets)'],
  ['${{ secrets.TOKEN.length }}', 'secrets.TOKEN.length'],
])('%s is not evaluated', (text, expression) => {
  expect(() => evaluateInputs({ text }, CONTEXTS)).toThrow(
    `cannot evaluate '\${{ ${expression} }}': only the worker that runs a step knows secrets`,
  );
});

test('an expression that is not closed is refused, also beside a secret', () => {
  expect(() => evaluateInputs({ text: '${{ secrets.A }}${{ b' }, CONTEXTS)).toThrow(
    "'${{ b' has '${{' without '}}'",
  );
});

test('names, each once', () => {
  const { secrets } = evaluateInputs(
    { a: '${{ secrets.B }}', b: '${{ secrets.A }} ${{ secrets.B }}', c: 'text' },
    CONTEXTS,
  );
  expect(secretNames(secrets)).toEqual(['B', 'A']);
});
