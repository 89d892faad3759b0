import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { compile, formatDiagnostics } from '../../language/compile.ts';
import { RULES } from '../../language/diagnostic.ts';
import type { JsonObject } from '../../plan/json.ts';
import { catalog } from './catalog.ts';

// golden/RULE/NAME.yaml is compiled and compared with golden/RULE/NAME.out: the diagnostics, or for
// golden/valid the plan and its hints. A first line `# params: {...}` gives the submission's params.
// UPDATE_GOLDEN=1 npx vitest run test/language/golden.test.ts writes the .out files anew.
const root = path.join(import.meta.dirname, 'golden');
const isUpdate = process.env['UPDATE_GOLDEN'] === '1';

const folders = readdirSync(root).sort();
const cases = folders.flatMap((folder) =>
  readdirSync(path.join(root, folder))
    .filter((file) => file.endsWith('.yaml'))
    .sort()
    .map((file) => ({ folder, file: file.replace(/\.yaml$/, '') })),
);

test.each(cases)('$folder/$file', ({ folder, file }) => {
  const source = readFileSync(path.join(root, folder, `${file}.yaml`));
  const params = /^# params: (.*)\n/.exec(source.toString())?.[1] ?? '{}';
  const result = compile({
    source,
    sourceName: `${file}.yaml`,
    params: JSON.parse(params) as JsonObject,
    catalog,
  });
  const output = result.ok
    ? [JSON.stringify(result.plan, null, 2), formatDiagnostics(result.hints)].join('\n').trimEnd()
    : formatDiagnostics(result.diagnostics);
  const rules = result.ok ? ['valid'] : result.diagnostics.map(({ rule }) => rule);
  expect(rules).toContain(folder);

  const expected = path.join(root, folder, `${file}.out`);
  if (isUpdate) writeFileSync(expected, `${output}\n`);
  expect(existsSync(expected), `no ${expected}; run with UPDATE_GOLDEN=1`).toBe(true);
  expect(`${output}\n`).toBe(readFileSync(expected, 'utf8'));
});

test('every rule has golden files and, but for source and yaml, a file of its own', () => {
  expect(folders).toEqual([...RULES, 'valid'].sort());
  const files = readdirSync(path.join(import.meta.dirname, '../../language/checks'));
  expect(files.sort()).toEqual(
    RULES.slice(2)
      .map((rule) => `${rule}.ts`)
      .sort(),
  );
});
