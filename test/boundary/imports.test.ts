import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { PROJECT_ROOT } from '../../setup/dependencies.mjs';
import { importsOf, importsOfFolder } from './source-imports.ts';
import type { SourceImport } from './source-imports.ts';

interface FolderRule {
  /** Folders of ours that it may import, besides itself. */
  readonly folders: readonly string[];
  /** npm packages that it may import; without it, all but Temporal's. */
  readonly packages?: readonly string[] | 'all';
  readonly node: boolean;
}

const RULES: Readonly<Record<string, FolderRule>> = {
  plan: { folders: [], packages: ['@actions/expressions'], node: false },
  store: {
    folders: ['plan'],
    packages: ['@aws-sdk/client-s3', 'canonicalize', 'fastest-levenshtein'],
    node: true,
  },
  data: { folders: ['store', 'plan'], node: true },
  evaluation: { folders: ['data', 'store', 'plan'], node: true },
  training: { folders: ['store', 'data', 'evaluation', 'plan'], node: true },
  language: {
    folders: ['plan'],
    packages: ['fastest-levenshtein', 're2js', 'yaml', 'zod'],
    node: true,
  },
  activities: {
    folders: ['language', 'data', 'training', 'evaluation', 'store', 'plan'],
    packages: 'all',
    node: true,
  },
  workflows: {
    folders: ['plan', 'activities'],
    packages: ['@temporalio/common', '@temporalio/workflow'],
    node: false,
  },
  cli: {
    folders: ['activities', 'data', 'evaluation', 'language', 'plan', 'setup', 'store', 'training'],
    packages: 'all',
    node: true,
  },
  setup: { folders: [], packages: ['esbuild', 'tsx'], node: true },
  // As a user's own file would: what they need has to be in the public entry.
  pipelines: { folders: [], packages: ['retune'], node: true },
  docs: {
    folders: ['activities', 'language', 'training'],
    packages: ['prettier', 'zod'],
    node: true,
  },
};

describe('import rules', () => {
  for (const [folder, rule] of Object.entries(RULES)) {
    test(`${folder}/ imports only what it may`, () => {
      const imports = importsOfFolder(folder);
      expect(
        imports.filter((found) => !isAllowed(folder, rule, found)).map(describeImport),
      ).toEqual([]);
    });
  }

  test('workflows import types from activities/contract.ts, and nothing else of activities/', () => {
    const imports = importsOfFolder('workflows').filter(({ to }) => to.startsWith('activities/'));
    expect(
      imports.filter(({ to, typeOnly }) => to !== 'activities/contract.ts' || !typeOnly),
    ).toEqual([]);
  });

  test('activities/contract.ts holds types alone', () => {
    const imports = importsOfFolder('activities').filter(({ from }) =>
      from.endsWith('/contract.ts'),
    );
    expect(imports).not.toEqual([]);
    expect(imports.filter(({ typeOnly, to }) => !typeOnly || !to.startsWith('plan/'))).toEqual([]);
  });

  test('every folder that holds source has a rule', () => {
    const without = ['bench', 'test', 'node_modules'];
    const folders = readdirSync(PROJECT_ROOT, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
      .map((entry) => entry.name)
      .filter((name) => !without.includes(name) && importsOfFolder(name).length > 0);
    expect(folders.filter((name) => RULES[name] === undefined)).toEqual([]);
  });

  test("the linter's rules, which an editor shows, forbid the same folders", () => {
    const { overrides } = JSON.parse(
      readFileSync(join(PROJECT_ROOT, '.oxlintrc.json'), 'utf8'),
    ) as LintConfig;
    for (const [folder, rule] of Object.entries(RULES)) {
      const [, { patterns = [] } = {}] =
        overrides.find(({ files }) => files.includes(`${folder}/**`))?.rules[
          'no-restricted-imports'
        ] ?? [];
      const forbids = (name: string): boolean =>
        patterns.some(
          ({ regex, allowTypeImports }) =>
            !allowTypeImports && new RegExp(regex).test(`../${name}/x.ts`),
        );
      const others = Object.keys(RULES).filter((name) => name !== folder);
      expect(
        others.filter((name) => !forbids(name)),
        folder,
      ).toEqual(others.filter((name) => rule.folders.includes(name)));
    }
  });

  test('imports are found in every form', () => {
    const source = [
      "import { a } from './a.ts';",
      "import type { B } from '../plan/b.ts';",
      'import {',
      '  type C,',
      '  c,',
      "} from 'zod';",
      "export { d } from '@temporalio/worker/lib/d.js';",
      "import 'node:fs';",
      "const { e } = await import('../../cli/e.ts');",
      "const text = 'nothing from here';",
    ].join('\n');
    const found = importsOf(join(PROJECT_ROOT, 'data', 'formats', 'x.ts'), source);
    expect(found.map(({ to, typeOnly }) => (typeOnly ? `type ${to}` : to)).toSorted()).toEqual([
      '@temporalio/worker',
      'cli/e.ts',
      'data/formats/a.ts',
      'node',
      'type data/plan/b.ts',
      'zod',
    ]);
  });
});

test('worker.ts, which shows how everything is put together, stays readable', () => {
  const lines = readFileSync(join(PROJECT_ROOT, 'worker.ts'), 'utf8').trimEnd().split('\n');
  expect(lines.length).toBeLessThanOrEqual(80);
});

interface LintConfig {
  readonly overrides: readonly {
    readonly files: readonly string[];
    readonly rules: Readonly<Record<string, readonly [string, { patterns?: readonly Pattern[] }?]>>;
  }[];
}
interface Pattern {
  readonly regex: string;
  readonly allowTypeImports?: boolean;
}

function isAllowed(folder: string, rule: FolderRule, { kind, to }: SourceImport): boolean {
  switch (kind) {
    case 'node':
      return rule.node;
    case 'own':
      return [folder, ...rule.folders].some((name) => to.startsWith(`${name}/`));
    case 'package':
      if (rule.packages === 'all') return true;
      return rule.packages?.includes(to) ?? !to.startsWith('@temporalio/');
  }
}

function describeImport({ from, to }: SourceImport): string {
  return `${from} imports ${to}`;
}
