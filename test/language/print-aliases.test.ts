import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { catalog } from '../../activities/catalog.ts';
import { compile, formatDiagnostics } from '../../language/compile.ts';
import { printPipeline } from '../../language/print.ts';
import type { JsonObject } from '../../plan/json.ts';

const STEPS = "steps: { data: { uses: download-dataset@1, with: { source: 'file:a.csv' } } }\n";

function printed(source: string, params: JsonObject = {}): string {
  const result = printPipeline({ source, catalog, params });
  return result.ok ? result.text : formatDiagnostics(result.diagnostics);
}

/** What the compiler reads, and what the yaml library reads beside it. */
function envsOf(source: string): readonly unknown[] {
  const compiled = compile({ source, catalog });
  const { env } = parse(source, { merge: true, uniqueKeys: false }) as { env: unknown };
  return [compiled.ok ? compiled.plan.env : formatDiagnostics(compiled.diagnostics), env];
}

test.each<[string, string, unknown]>([
  [
    'an alias inside what is copied means what it meant there',
    '{ base: &a { x: &x 5, y: *x }, z: &x 6, b: *a }',
    { base: { x: 5, y: 5 }, z: 6, b: { x: 5, y: 5 } },
  ],
  ['an anchor moves after its alias by merging', '{ k: &v 5, <<: { z: *v } }', { k: 5, z: 5 }],
  ['an anchor is dropped by merging', '{ <<: { x: &v 5 }, x: 6, y: *v }', { x: 6, y: 5 }],
  [
    'an anchor inside a map has the name of that map',
    '{ a: &n { p: &n 5, q: *n }, b: *n }',
    { a: { p: 5, q: 5 }, b: 5 },
  ],
  ['an anchor is on a key', '{ a: &n 5, &n b: *n }', { a: 5, b: 'b' }],
  [
    'keys that are one number are two texts',
    '{ m: { <<: { 1.0: a, 0x1: b }, 1: c } }',
    { m: { '1.0': 'a', '0x1': 'b', '1': 'c' } },
  ],
  [
    'an alias stands for a text of lines',
    '\n  a: &t |\n    x\n    y\n  b: [*t]',
    { a: 'x\ny\n', b: ['x\ny\n'] },
  ],
])('%s', (_, env, expected) => {
  const source = `name: p\nenv: ${env}\n${STEPS}`;
  const text = printed(source);
  expect([envsOf(source)[0], envsOf(text)[0]]).toEqual([expected, expected]);
  expect(text).not.toMatch(/[*&]\w|<</);
});

test('a given param replaces a default that another one names', () => {
  const source = `name: p\nparams: { a: &one 1, b: *one }\n${STEPS}`;
  const compiled = compile({ source: printed(source, { a: 5 }), catalog });
  expect(compiled).toMatchObject({ ok: true, plan: { params: { a: 5, b: 1 } } });
});

const SCALARS = ['5', "'a'", '"b"', 'word', 'true', '0.5', '1e-5', '!!str 7', 'null', '0x1F'];

/** A map in YAML, made by choices; nothing is named before it is whole. */
function yamlOf(choices: readonly number[]): string {
  const anchors = new Map<string, 'map' | 'other' | 'open'>();
  let next = 0;
  return mapOf(1, 'block');

  function choose<Item>(items: readonly Item[]): Item {
    const choice = choices[next] ?? 0;
    next += 1;
    return items[choice % items.length] as Item;
  }

  function valueOf(depth: number, style: 'block' | 'flow'): string {
    const forms = depth < 5 ? (['scalar', 'alias', 'map', 'list', 'map'] as const) : [];
    const form = choose(['scalar', 'alias', ...forms] as const);
    if (form === 'alias') return aliasOf(['map', 'other']);
    const name = choose(['', 'a', 'b', 'c']);
    if (name !== '') anchors.set(name, 'open');
    const inner = style === 'flow' ? 'flow' : choose(['flow', 'block'] as const);
    const write = form === 'map' ? mapOf : listOf;
    const text = form === 'scalar' ? choose(SCALARS) : write(depth, inner);
    if (anchors.get(name) === 'open') anchors.set(name, form === 'map' ? 'map' : 'other');
    return name === '' ? text : `&${name} ${text}`;
  }

  function aliasOf(kinds: readonly string[]): string {
    const named = [...anchors].filter(([, kind]) => kinds.includes(kind));
    return named.length === 0 ? '{}' : `*${choose(named)[0]} `;
  }

  function mapOf(depth: number, style: 'block' | 'flow'): string {
    const names = ['k', 'l', 'm', 'n'].filter(() => choose([false, true]));
    const keys = names.toSpliced(choose([0, 1, 2, 3]), 0, ...choose([[], ['<<']]));
    const entries = keys.map((key) => {
      const value = key === '<<' ? mergedOf(depth) : valueOf(depth + 1, style);
      return `${key}: ${value}`;
    });
    return written(depth, style, entries, '{}');
  }

  function listOf(depth: number, style: 'block' | 'flow'): string {
    const places = [0, 1, 2].filter(() => choose([false, true]));
    const mark = style === 'flow' ? '' : '- ';
    const items = places.map(() => `${mark}${valueOf(depth + 1, style)}`);
    return written(depth, style, items, '[]');
  }

  function mergedOf(depth: number): string {
    const source = (): string => choose([() => aliasOf(['map']), () => mapOf(depth + 1, 'flow')])();
    return choose([source, () => `[${source()}, ${source()}]`])();
  }
}

function written(
  depth: number,
  style: 'block' | 'flow',
  parts: readonly string[],
  braces: string,
): string {
  if (style === 'flow' || parts.length === 0) {
    return `${braces.charAt(0)}${parts.join(', ')}${braces.charAt(1)}`;
  }
  return parts.map((part) => `\n${'  '.repeat(depth)}${part}`).join('');
}

test('anchors, aliases and merges wherever they are: the values stay, and it is printed the same again', () => {
  let aliases = 0;
  fc.assert(
    fc.property(fc.array(fc.nat(59), { minLength: 60, maxLength: 200 }), (choices) => {
      const source = `name: p\nenv: ${yamlOf(choices)}\n${STEPS}`;
      const [env, asLibraryReads] = envsOf(source);
      expect(env).toEqual(asLibraryReads);
      const text = printed(source);
      expect(envsOf(text)).toEqual([env, env]);
      expect(printed(text)).toBe(text);
      aliases += source.match(/\*[abc]/g)?.length ?? 0;
    }),
    { numRuns: 300, seed: 3 },
  );
  expect(aliases).toBeGreaterThan(300);
});
