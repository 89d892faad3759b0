import { expect, test } from 'vitest';
import { readParamTexts } from '../../language/param-texts.ts';
import { type ParamDeclaration, parseParamText, type ParamType } from '../../language/params.ts';
import { Patterns } from '../../language/pattern.ts';
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
  [param('list'), '[&a 1, *a]', [1, 1]],
  [param('list'), '[!!binary aGk=]', 'refused'],
  [param('list'), '[{ __proto__: 1 }]', 'refused'],
  [param('string'), '5', '5'],
  [param('string'), '', ''],
  [param('string'), '{a: b', '{a: b'],
  [param('string', { pattern: '^a+$' }), 'b', 'refused'],
  [param('string', { pattern: '^(a+)+$' }), `${'a'.repeat(10_000)}!`, 'refused'],
  [param('string', { pattern: '^(a+)+$' }), 'aaa', 'aaa'],
  [param('string', { pattern: '^\\p{L}.\\u{1F600}$' }), 'é-\u{1F600}', 'é-\u{1F600}'],
  [param('string', { enum: ['cpu', 'gpu'] }), 'gpu', 'gpu'],
])('%o from %j is %j', (declaration, text, expected) => {
  const parsed = parseParamText(declaration, text, new Patterns());
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
  [param('list'), '*a', "param 'p' is '*a': unknown alias '*a'; expected an anchor '&a' before it"],
  [param('list'), '[1, 2', "param 'p' is '[1, 2': '[' is not closed; add ']'"],
  [
    param('list'),
    '&a [*a]',
    "param 'p' is '&a [*a]': alias '*a' stands inside its own anchor '&a'; move one of them out",
  ],
])('%o refuses %j', (declaration, text, message) => {
  expect(parseParamText(declaration, text, new Patterns())).toEqual({ ok: false, message });
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
  texts.set('rows', 'x');
  expect(readParamTexts(source, texts).problems).toEqual([
    "unknown param 'unknown' was given; expected one of rows, rate, name",
    "unknown param '__proto__' was given; expected one of rows, rate, name",
    "param 'rows' is 'x', a string; expected an integer",
  ]);
});

test('patterns of a command line take a bounded number of steps together', () => {
  const source = `
name: p
params:
  a: { type: string, pattern: &slow '${'(a*)*'.repeat(198)}$' }
  b: { type: string, pattern: *slow }
steps: {}
`;
  const text = 'a'.repeat(12_000);
  expect(readParamTexts(source, new Map([['a', text]])).problems).toEqual([]);
  const both = new Map([
    ['a', text],
    ['b', text],
  ]);
  expect(readParamTexts(source, both).problems).toEqual([
    `param 'b' is '${'a'.repeat(59)}…', a string; matching the patterns of all params takes more than ` +
      '20000000 steps; expected fewer or simpler patterns, or shorter texts',
  ]);
});
