import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { findBundle, isBundled, makeBundle } from '../../setup/command-bundle.mjs';
import { temporaryFolder } from './folders.ts';
import { TestProcess } from './processes.ts';

let folder: string;

interface Manifest {
  readonly root: string;
  readonly node: string;
  readonly bundle: string;
  readonly sources: readonly (readonly [path: string, stamp: string])[];
}

function manifest(): Manifest {
  return JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as Manifest;
}

beforeAll(async () => {
  folder = await temporaryFolder();
  // Two at once, as by two calls.
  const made = await Promise.all([makeBundle(folder), makeBundle(folder)]);
  expect(made.map((run) => typeof run)).toEqual(['function', 'function']);
});

test.each([
  [['check', 'a.yaml'], true],
  [['check', 'a.yaml', '--steps', 'own.ts'], false],
  [['check', '--steps=own.ts', 'a.yaml'], false],
  [['run', 'a.yaml'], false],
  [[], false],
])('of the program retune, %j is bundled: %s', (args, expected) => {
  expect(isBundled('cli/main.ts', args)).toBe(expected);
  expect(isBundled('worker.ts', args)).toBe(false);
});

test("'retune check' loads neither data, nor training, nor Temporal", () => {
  const text = readFileSync(join(folder, manifest().bundle), 'utf8');
  const packages = [...text.matchAll(/\brequire\("([^"]+)"\)/g)].map(([, name = '']) => name);
  const others = new Set(packages.filter((name) => !/^(node:.*|buffer|process)$/.test(name)));
  // Else its TypeScript would be loaded, which needs tsx.
  expect(text).not.toContain('import("./commands/check.ts")');
  // Loaded by the report of an error alone.
  expect([...others]).toEqual(['@temporalio/client']);
  const folders = manifest().sources.map(([path]) => path.split('/').slice(0, -1).join('/'));
  expect(
    [...new Set(folders)].filter((path) => !/^(cli|language|plan)\b/.test(path)).sort(),
  ).toEqual([
    '',
    'activities',
    'activities/custom',
    'evaluation',
    'node_modules',
    'setup',
    'store',
    'training',
    'training/arguments',
    'training/devices',
    'training/models',
  ]);
});

test('only what was made last is kept, with the sources that it was made of', () => {
  const { bundle, sources, node } = manifest();
  expect(readdirSync(folder).filter((name) => name.endsWith('.cjs'))).toEqual([bundle]);
  expect(node).toBe(process.version);
  const paths = sources.map(([path]) => path);
  expect(paths).toEqual(
    expect.arrayContaining([
      ...['cli/main.ts', 'cli/commands/check.ts', 'language/checks/wire.ts'],
      ...['setup/command-bundle.mjs', 'package-lock.json'],
    ]),
  );
});

test.each<readonly [string, (found: Manifest) => unknown]>([
  [
    'a source has changed',
    ({ sources: [first, ...rest], ...found }) => ({
      ...found,
      sources: [[first?.[0], '1 2 3'], ...rest],
    }),
  ],
  [
    'a source is gone',
    ({ sources, ...found }) => ({ ...found, sources: [...sources, ['language/gone.ts', '']] }),
  ],
  ['it is of another checkout', (found) => ({ ...found, root: '/elsewhere' })],
  ['another Node made it', (found) => ({ ...found, node: 'v18.0.0' })],
  ['its file is gone', (found) => ({ ...found, bundle: 'gone.cjs' })],
  ['the manifest is damaged', () => 'not a manifest'],
])('there is no bundle when %s; made again, there is', async (_, change) => {
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify(change(manifest())));
  expect(findBundle(folder)).toBeNull();
  expect(await makeBundle(folder)).toBeTypeOf('function');
  expect(findBundle(folder)).toBeTypeOf('function');
});

test('where it cannot be kept there is none, and no error', async () => {
  const file = join(folder, 'a-file');
  writeFileSync(file, '');
  expect(await makeBundle(join(file, 'below'))).toBeNull();
  expect(findBundle(join(file, 'below'))).toBeNull();
});

test('a code cache that V8 refuses is written anew', async () => {
  const cache = join(folder, `${manifest().bundle}.cache`);
  writeFileSync(cache, 'of another version');
  const script = `
    const { findBundle } = await import(${JSON.stringify(join(import.meta.dirname, '../../setup/command-bundle.mjs'))});
    process.argv = [process.argv[0], '--help'];
    await findBundle(${JSON.stringify(folder)})();`;
  const run = new TestProcess(process.execPath, ['--input-type=module', '-e', script]);
  expect(await run.exited).toEqual({ code: 0, signal: null });
  expect(run.stdout).toContain('Usage: retune');
  expect(readFileSync(cache).length).toBeGreaterThan(10_000);
});
