import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { PROJECT_ROOT, checkNodeVersion, isSatisfied } from '../../setup/dependencies.mjs';
import { temporaryFolder } from './folders.ts';
import { TestProcess } from './processes.ts';

const INSTALLING = 'retune: installing the dependencies with `npm ci`';

describe('the dependencies are installed', () => {
  let template = '';
  beforeAll(async () => {
    template = await projectWithOneDependency();
  });

  test('once, by two processes at a time; then nothing is done or said', async () => {
    const root = await copyOf(template);
    const both = [startSetup(root), startSetup(root)];
    expect(await Promise.all(both.map((one) => one.exited))).toEqual([
      { code: 0, signal: null },
      { code: 0, signal: null },
    ]);
    const said = both.map((one) => one.stderr).join('');
    expect(said.split('\n').filter((line) => line === INSTALLING)).toHaveLength(1);
    expect(both.map((one) => one.stdout)).toEqual(['ready\n', 'ready\n']);
    expect(existsSync(join(root, 'node_modules', 'leaf', 'package.json'))).toBe(true);

    const third = startSetup(root);
    await third.exited;
    expect([third.stdout, third.stderr]).toEqual(['ready\n', '']);
  });

  test('again when the lock file asks for another version', async () => {
    const root = await copyOf(template);
    await startSetup(root).exited;
    const installed = join(root, 'node_modules', '.package-lock.json');
    writeFileSync(installed, readFileSync(installed, 'utf8').replaceAll('1.0.0', '0.9.0'));
    const setup = startSetup(root);
    await setup.exited;
    expect(setup.stderr).toContain(INSTALLING);
    expect(readFileSync(installed, 'utf8')).toContain('1.0.0');
  });

  test('or the command ends with what npm said and what to do', async () => {
    const root = await copyOf(template);
    const packageJson = join(root, 'package.json');
    writeFileSync(packageJson, readFileSync(packageJson, 'utf8').replace('"leaf"', '"other"'));
    const setup = startSetup(root);
    expect(await setup.exited).toEqual({ code: 1, signal: null });
    expect(setup.stdout).toBe('');
    expect(setup.stderr).toContain('npm error Missing: other@');
    expect(setup.stderr).toContain(
      `\`npm ci\` failed with exit code 1 in ${root}: its messages are above.\n` +
        'Check the connection to the npm registry (`npm ping`), then run the command again.\n',
    );
  });
});

test.each([
  ['20.19.0', ''],
  ['20.19.4', ''],
  ['22.0.0', ''],
  ['20.18.3', problemOfNode('20.18.3')],
  ['18.20.8', problemOfNode('18.20.8')],
])('Node %s: %s', (version, message) => {
  let found = '';
  try {
    checkNodeVersion({ engines: { node: '>=20.19' } }, version);
  } catch (error) {
    found = (error as Error).message;
  }
  expect(found).toBe(message);
});

function problemOfNode(version: string): string {
  return (
    `Retune needs Node 20.19 or newer, found ${version} (${process.execPath}).\n` +
    'Install a current one from https://nodejs.org, or with `nvm install --lts`.'
  );
}

const tool = { version: '2.0.0', integrity: 'sha512-b' };
const leaf = { version: '1.0.0', integrity: 'sha512-a' };
test.each([
  ['the same', { leaf }, { leaf }, true],
  ['one more installed', { leaf }, { leaf, tool }, true],
  ['missing', { leaf, tool }, { leaf }, false],
  ['another version', { leaf }, { leaf: { ...leaf, version: '1.0.1' } }, false],
  ['another content', { leaf }, { leaf: { ...leaf, integrity: 'sha512-c' } }, false],
  ['missing, for another platform', { leaf, tool: { ...tool, optional: true } }, { leaf }, true],
  ['missing, for development', { leaf, tool: { ...tool, dev: true } }, { leaf }, false],
])('a lock file and what is installed: %s', (_, wanted, installed, satisfied) => {
  expect(isSatisfied({ packages: wanted }, { packages: installed }, true)).toBe(satisfied);
});

test('a worker needs no development dependencies', () => {
  const wanted = { packages: { leaf, tool: { ...tool, dev: true } } };
  expect(isSatisfied(wanted, { packages: { leaf } }, false)).toBe(true);
});

// npm 11's `npm ci` refuses a lock file that lacks some, as one written behind a registry that has not
// got them all does: `npm install --package-lock-only` against a complete registry adds them.
test('package-lock.json has the optional packages of every platform', () => {
  const lock = JSON.parse(readFileSync(join(PROJECT_ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { optionalDependencies?: Record<string, string> }>;
  };
  const names = Object.keys(lock.packages).map((path) => path.split('node_modules/').at(-1));
  const wanted = Object.values(lock.packages).flatMap((entry) =>
    Object.keys(entry.optionalDependencies ?? {}),
  );
  expect(wanted).toContain('@swc/core-darwin-arm64');
  expect(wanted.filter((name) => !names.includes(name))).toEqual([]);
});

/** A project like ours whose one dependency is a file, so that npm needs no registry. */
async function projectWithOneDependency(): Promise<string> {
  const root = await temporaryFolder();
  mkdirSync(join(root, 'leaf'));
  writeFileSync(join(root, 'leaf', 'package.json'), '{ "name": "leaf", "version": "1.0.0" }');
  npm(root, 'pack', './leaf');
  rmSync(join(root, 'leaf'), { recursive: true });
  writeFileSync(
    join(root, 'package.json'),
    JSON.stringify({
      name: 'root',
      version: '1.0.0',
      engines: { node: '>=20.19' },
      dependencies: { leaf: 'file:leaf-1.0.0.tgz' },
    }),
  );
  npm(root, 'install', '--package-lock-only');
  return root;
}

function npm(cwd: string, ...args: readonly string[]): void {
  const { status, stderr } = spawnSync('npm', ['--offline', ...args], { cwd, encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
}

async function copyOf(template: string): Promise<string> {
  const root = await temporaryFolder();
  cpSync(template, root, { recursive: true });
  return root;
}

function startSetup(root: string): TestProcess {
  const setup = (name: string): string => JSON.stringify(join(PROJECT_ROOT, 'setup', name));
  const script = `
    import { orExit } from ${setup('console.mjs')};
    import { ensureDependencies } from ${setup('dependencies.mjs')};
    await orExit(() => ensureDependencies({ root: ${JSON.stringify(root)} }));
    console.log('ready');`;
  return new TestProcess(process.execPath, ['--input-type=module', '--eval', script]);
}
