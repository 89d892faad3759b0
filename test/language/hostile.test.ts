import { expect, test } from 'vitest';
import { check, compile } from '../../language/compile.ts';
import type { PipelineText } from '../../language/source.ts';
import type { JsonObject, JsonValue } from '../../plan/json.ts';
import { catalog } from './catalog.ts';
import { expectSound } from './soundness.ts';

const MIB = 1024 * 1024;
/** Of a file as large as one may be, on a machine that does much else. */
const HANG_MS = 10_000;

/** So many of a piece as fill a file nearly as large as one may be. */
function fill(piece: string, size = MIB - 2000): string {
  return piece.repeat(Math.floor(size / piece.length));
}

function lines(count: number, line: (index: number) => string, separator = '\n'): string {
  return Array.from({ length: count }, (_, index) => line(index)).join(separator);
}

/** A pipeline whose one step has this in `any`. */
function any(value: string, before = ''): string {
  return `name: p\n${before}steps: { a: { uses: probe@2, with: { any: ${value} } } }\n`;
}

function nested(levels: number, call: (inner: string) => string, start: string): string {
  return Array.from({ length: levels }).reduce<string>(call, start);
}

function firstMessage(source: PipelineText, params: JsonObject = {}): string {
  const result = compile({ source, catalog, params });
  return result.ok ? 'ok' : (result.diagnostics[0]?.message ?? '');
}

const TOO_LARGE = 'the file has more than 1048576 bytes; split the pipeline';
const TOO_DEEP = 'values nest more than 64 levels deep; flatten them';
const TOO_LONG_A_TEXT = 'the expressions make more than 2097152 characters; make less text';
const TOO_MUCH_TEXT = 'the expressions make more than 33554432 characters; make less text';

test.each<[string, PipelineText, string | RegExp]>([
  ['10 MB of text', fill('name: p\n', 10 * MIB), TOO_LARGE],
  ['10 MB of bytes', new Uint8Array(10 * MIB).fill(0x61), TOO_LARGE],
  ['zeros', '\0'.repeat(MIB), /^the file holds text; expected a map/],
  ['lists in one another, in flow style', '['.repeat(10_000), TOO_DEEP],
  ['maps in one another, in flow style', `a: ${'{a: '.repeat(10_000)}`, TOO_DEEP],
  ['maps in one another, in block style', lines(1000, (at) => `${' '.repeat(at)}a:`), TOO_DEEP],
  ['lists in one another, in block style', '- '.repeat(10_000), TOO_DEEP],
  [
    'an object of 10,000 levels',
    deepMap(10_000),
    'the object nests more than 64 levels deep; flatten it',
  ],
  [
    'billions of values by aliases',
    `name: p\nenv:\n  a0: &a0 [x, x]\n${lines(40, (at) => `  a${at + 1}: &a${at + 1} [*a${at}, *a${at}]`)}\n`,
    /^aliases make \d+ values of this file; expected at most 200000$/,
  ],
  [
    'gigabytes of text by aliases',
    `name: p\nenv: { a: &a ${fill('x', 900_000)} }\nsteps: { a: { uses: probe@2, with: { any: [${'*a,'.repeat(10_000)}] } } }\n`,
    /^aliases make 90009\d+ characters of this file; expected at most 4194304$/,
  ],
  [
    'levels by aliases',
    `name: p\nenv:\n  - &a0 [x]\n${lines(100, (at) => `  - &a${at + 1} [*a${at}]`)}\n`,
    'aliases nest values 103 levels deep; expected at most 64',
  ],
  [
    'a step name of 1 MB',
    `name: p\nsteps: { ${fill('k')}: { uses: probe@1 } }`,
    /^step name 'k{59}…'; it has \d+ characters; expected at most 100$/,
  ],
  [
    'a pipeline name of 1 MB',
    `name: a${fill('-')}x!\nsteps: {}`,
    /^'name' is 'a-{58}…'; expected letters/,
  ],
  [
    'a kind of 1 MB',
    `name: p\nsteps: { a: { uses: "${fill('@')}\\nx" } }`,
    /^'uses' is '@{59}…'; expected a kind and a version/,
  ],
  [
    'a key of 1 MB',
    `name: p\n${fill('k')}: 1\nsteps: {}`,
    /^not valid yaml: the : indicator must be at most 1024 chars/,
  ],
  [
    'a number of 1 MB',
    `name: p\nenv: { a: ${fill('1')} }\nsteps: {}`,
    /^'1{59}…' is not a finite number/,
  ],
  [
    'an alias of 1 MB',
    `name: p\nenv: *${fill('a')}\n`,
    /^unknown alias '\*a{58}…'; expected an anchor/,
  ],
  [
    'text that doubles at each of 45 levels',
    any(`"\${{ ${nested(45, (inner) => `format('{0}{0}', ${inner})`, "'xxxxxxxx'")} }}"`),
    new RegExp(`^cannot evaluate .*: ${TOO_LONG_A_TEXT}$`),
  ],
  [
    'escapes that double at each of 45 levels',
    any(`"\${{ ${nested(45, (inner) => `toJSON(${inner})`, "'\\\"'")} }}"`),
    new RegExp(`^cannot evaluate .*: ${TOO_LONG_A_TEXT}$`),
  ],
  [
    'a long param in a long text',
    any(`"${'x${{params.a}}'.repeat(10_000)}"`, `params: { a: ${fill('x', 500_000)} }\n`),
    `cannot evaluate '\${{ params.a }}': ${TOO_LONG_A_TEXT}`,
  ],
  [
    'a long param compared thousands of times',
    any(`[${'"${{ params.a == 1 }}",'.repeat(10_000)}]`, `params: { a: ${fill('x', 500_000)} }\n`),
    `cannot evaluate '\${{ params.a == 1 }}': ${TOO_MUCH_TEXT}`,
  ],
  [
    'JSON of 100,000 levels in a param',
    any(
      '"${{ fromJSON(params.a) }}"',
      `params: { a: '${'['.repeat(100_000)}${']'.repeat(100_000)}' }\n`,
    ),
    "cannot evaluate '${{ fromJSON(params.a) }}': fromJSON() was given JSON that nests more than 64 levels deep",
  ],
  [
    'a pattern that backtracks for ever elsewhere',
    `name: p\nparams: { a: { pattern: '^(((a+)+)+)+$', default: '${fill('a', 700_000)}!' } }\nsteps: {}`,
    /^'default' is 'a{59}…', a string; expected a string that matches/,
  ],
  [
    'slow patterns for long texts',
    `name: p\nparams:\n${lines(9, (at) => `  p${at}: { pattern: ${at === 0 ? `&p '${'(a*)*'.repeat(198)}'` : '*p'}, default: ${at === 0 ? `&d ${fill('a', 400_000)}` : '*d'} }`)}\nsteps: {}`,
    /^'default' is 'a{59}…', a string; matching the patterns of all params takes more than 20000000 steps/,
  ],
  [
    'thousands of patterns that are slow to compile',
    `name: p\nparams:\n${lines(4000, (at) => `  p${at}: { type: string, pattern: '(?:(?:(a*)*(b*)*${at}){31}){31}' }`)}\nsteps: {}`,
    /^'pattern' is .*, a string; (RE2 needs|matching the patterns of all params takes more than)/,
  ],
])('%s: refused', (_, source, expected) => {
  const found = firstMessage(source);
  if (typeof expected === 'string') expect(found).toBe(expected);
  else expect(found).toMatch(expected);
  expectSound({ source, catalog }, HANG_MS);
});

function deepMap(levels: number): JsonObject {
  return JSON.parse(`${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`) as JsonObject;
}

test('texts of 1 MB are values like any other', () => {
  const text = fill('x y ');
  const result = compile({ source: any(`'${text}'`), catalog });
  expect(result.ok && result.plan.steps[0]?.with).toEqual({ any: text });
});

// Each was slow once: the time that it takes grows with its length alone.
test.each<[string, string]>([
  [
    'unknown inputs in one line',
    `name: p\nsteps: { a: { uses: probe@2, with: { ${lines(5000, (at) => `k${at}: 1`, ', ')} } } }`,
  ],
  [
    'unknown inputs, a line each',
    `name: p\nsteps:\n  a:\n    uses: train@1\n    with:\n${lines(5000, (at) => `      train_datasets${at}: 1`)}`,
  ],
  ['unknown keys', `name: p\n${lines(5000, (at) => `nam${at}: 1`)}\n`],
  ['maps that are not indented', fill('a: {\n}\n', 100_000)],
  ['expressions without quotes in one line', `name: p\nenv: [${fill('${{a}} ', 200_000)}]`],
  ['spaces', `name: "${fill(' ')}\${{ x }}"\n`],
  ['escaped spaces', `name: p\nsteps: { a: { uses: probe@1, if: "x${fill('\\t')} ^" } }`],
  ['comments', `a:\n${fill('  # x\n', 600_000)}  b: 1\n`],
  ['empty lines', `a:\n${fill('\n')}  b: 1\n`],
  ['quotes', fill("'a' ", 500_000)],
  ['wide characters', `name: "${fill('😀x')}"\n`],
  [
    'timezones',
    `name: p\nsteps: {}\non: { schedule: [${lines(5000, (at) => `{ cron: '@daily', timezone: Europe/Parix${at} }`, ', ')}] }`,
  ],
])('thousands of %s: refused soon', (_, source) => {
  expect(expectSound({ source, catalog }, HANG_MS)).toBe(false);
});

const PROTOTYPE_NAMES = [
  ...new Set(
    [Object.prototype, Array.prototype, String.prototype, Function.prototype, Number.prototype]
      .flatMap((prototype) => Object.getOwnPropertyNames(prototype))
      .concat('prototype', 'global', 'globalThis', 'process', 'require', 'this'),
  ),
];

test.each([
  ['a param', (name: string) => `name: p\nparams: { ${name}: 1 }\nsteps: { a: { uses: probe@1 } }`],
  ['a constant', (name: string) => `name: p\nenv: { ${name}: 1 }\nsteps: { a: { uses: probe@1 } }`],
  [
    'an output',
    (name: string) => `name: p\nsteps: { a: { uses: probe@1 } }\noutputs: { ${name}: 1 }`,
  ],
  ['a step', (name: string) => `name: p\nsteps: { ${name}: { uses: probe@1 } }`],
])('%s may have no name that every object of JavaScript has', (_, pipeline) => {
  for (const name of Object.getOwnPropertyNames(Object.prototype)) {
    const rules = check({ source: pipeline(name), catalog }).map(({ rule }) => rule);
    expect(rules).toContain(name === '__proto__' ? 'yaml' : 'name');
  }
});

test.each([
  ['a key of an input', (name: string) => any(`{ ${name}: 1 }`), 'ok'],
  [
    'an input',
    (name: string) => `name: p\nsteps: { a: { uses: probe@2, with: { ${name}: 1 } } }`,
    /^unknown input '\w+' of probe@2; /,
  ],
  [
    'a key of a step',
    (name: string) => `name: p\nsteps: { a: { uses: probe@1, ${name}: 1 } }`,
    /^unknown key '\w+' in step 'a'; /,
  ],
  [
    'a key of the pipeline',
    (name: string) => `name: p\nsteps: { a: { uses: probe@1 } }\n${name}: 1`,
    /^unknown key '\w+' in the pipeline; /,
  ],
  [
    'a need',
    (name: string) => `name: p\nsteps: { a: { uses: probe@1, needs: [${name}] } }`,
    /^unknown step '\w+'; /,
  ],
  [
    'a kind',
    (name: string) => `name: p\nsteps: { a: { uses: ${name}@1 } }`,
    /^unknown step kind '\w+@1'; /,
  ],
])('%s of such a name is like any other', (_, pipeline, expected) => {
  for (const name of PROTOTYPE_NAMES.filter((each) =>
    /^(?!__|(split|with|name)$)[a-z]\w*$/i.test(each),
  )) {
    expect(firstMessage(pipeline(name))).toMatch(expected);
  }
});

test('params given as JSON are no deeper than text, and have no __proto__ either', () => {
  const source = any('"${{ params.l }}"', 'params: { l: [] }\n');
  const deep = JSON.parse('['.repeat(50_000) + ']'.repeat(50_000)) as JsonValue;
  expect(firstMessage(source, { l: deep })).toBe(
    "param 'l' was given as a list that nests more than 64 levels deep; flatten it",
  );
  const proto = JSON.parse('[{ "a": { "__proto__": { "polluted": 1 } } }]') as JsonValue;
  expect(firstMessage(source, { l: proto })).toBe(
    "param 'l' was given as a list with the key '__proto__' in it, which cannot be a key; choose another name",
  );
  expect(({} as JsonObject)['polluted']).toBeUndefined();
});
