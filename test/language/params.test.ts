import { expect, test } from 'vitest';
import { readParamTexts } from '../../language/param-texts.ts';
import { type ParamDeclaration, parseParamText, type ParamType } from '../../language/params.ts';
import type { JsonValue } from '../../plan/json.ts';

function param(type: ParamType, rest: Partial<ParamDeclaration> = {}): ParamDeclaration {
  return { name: 'p', type, isTypeInferred: false, ...rest };
}

test.each<[ParamDeclaration, string, JsonValue]>([
  [param('integer'), '5', 5],
  [param('integer'), '-0x10', 'refused'],
  [param('integer'), '0x10', 16],
  [param('integer'), '1e3', 1000],
  [param('integer'), '5.5', 'refused'],
  [param('integer'), '9007199254740993', 'refused'],
  [param('number'), '5e-5', 5e-5],
  [param('number'), '5.0e-5', 5e-5],
  [param('number'), '.5', 0.5],
  [param('number'), '.inf', 'refused'],
  [param('number', { minimum: 0, maximum: 1 }), '1.5', 'refused'],
  [param('boolean'), 'true', true],
  [param('boolean'), 'yes', 'refused'],
  [param('list'), '[1, two, 3.5]', [1, 'two', 3.5]],
  [param('list'), '1, 2', 'refused'],
  [param('string'), '5', '5'],
  [param('string'), '', ''],
  [param('string'), '{a: b', '{a: b'],
  [param('string', { pattern: '^a+$' }), 'b', 'refused'],
  [param('string', { enum: ['cpu', 'gpu'] }), 'gpu', 'gpu'],
])('%o from %j is %j', (declaration, text, expected) => {
  const parsed = parseParamText(declaration, text);
  expect(parsed.ok ? parsed.value : 'refused').toEqual(expected);
});

test.each<[ParamDeclaration, string, string]>([
  [
    param('integer', { minimum: 10 }),
    'many',
    "param 'p' is 'many', a string; expected an integer of at least 10",
  ],
  [
    param('integer', { minimum: 1, maximum: 8 }),
    '9',
    "param 'p' is 9; expected an integer from 1 to 8",
  ],
  [param('boolean'), 'no', "param 'p' is 'no', a string; expected true or false"],
  [param('list'), 'a', "param 'p' is 'a', a string; expected a list"],
  [
    param('string', { enum: ['cpu', 'cuda'] }),
    'cud',
    "param 'p' is 'cud', a string; expected one of cpu, cuda; did you mean 'cuda'?",
  ],
  [param('number'), '', "param 'p' is empty; expected a number"],
])('%o refuses %j', (declaration, text, message) => {
  expect(parseParamText(declaration, text)).toEqual({ ok: false, message });
});

test('texts of a command line become params of the types that the file declares', () => {
  const source = `
name: p
params:
  rows: 1000
  rate: { type: number, default: 1 }
  name: tweets
steps: {}
`;
  const texts = new Map([
    ['rows', '5'],
    ['rate', '5e-5'],
    ['name', '7'],
    ['unknown', '7'],
    ['__proto__', '7'],
  ]);
  const { params, problems } = readParamTexts(source, texts);
  expect(problems).toEqual([]);
  expect(Object.entries(params)).toEqual([
    ['rows', 5],
    ['rate', 5e-5],
    ['name', '7'],
    ['unknown', '7'],
    ['__proto__', '7'],
  ]);
  expect(readParamTexts(source, new Map([['rows', 'x']])).problems).toEqual([
    "param 'rows' is 'x', a string; expected an integer",
  ]);
});
