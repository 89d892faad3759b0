import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { compile, formatDiagnostics } from '../../language/compile.ts';
import { RULES } from '../../language/rules.ts';
import { goldenOptions } from './golden-file.ts';

// golden/RULE/NAME.yaml is compiled and compared with golden/RULE/NAME.out: the diagnostics, or for
// golden/valid the plan and its hints; where there are hints alone, them. Examples are those of
// docs/diagnostics.md.
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
  const text = source.toString();
  const result = compile({
    source,
    sourceName: `${file}.yaml`,
    ...goldenOptions(file, text),
  });
  const found = result.ok ? result.hints : result.diagnostics;
  const isValid = folder === 'valid' && result.ok;
  const output = [isValid ? JSON.stringify(result.plan, null, 2) : '', formatDiagnostics(found)]
    .join('\n')
    .trim();
  expect([...found.map(({ rule }) => rule), isValid ? 'valid' : '']).toContain(folder);

  const expected = path.join(root, folder, `${file}.out`);
  if (isUpdate) writeFileSync(expected, `${output}\n`);
  expect(existsSync(expected), `no ${expected}; run with UPDATE_GOLDEN=1`).toBe(true);
  expect(`${output}\n`).toBe(readFileSync(expected, 'utf8'));
});

test('every rule has golden files, an example for its page among them, and, but for source and yaml, a file of its own', () => {
  expect(folders).toEqual([...Object.keys(RULES), 'valid'].sort());
  const files = readdirSync(path.join(import.meta.dirname, '../../language/checks'));
  const examples = cases.filter(({ file }) => file === 'example').map((each) => each.folder);
  expect([...examples, 'valid'].sort()).toEqual(folders);
  expect(files.sort()).toEqual(
    Object.keys(RULES)
      .slice(2)
      .map((rule) => `${rule}.ts`)
      .sort(),
  );
});
