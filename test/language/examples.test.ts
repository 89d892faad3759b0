import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { catalog } from '../../activities/catalog.ts';
import { check } from '../../language/compile.ts';
import { PROJECT_ROOT } from '../../setup/dependencies.mjs';

const files = readdirSync(join(PROJECT_ROOT, 'pipelines')).filter((file) => file.endsWith('.yaml'));
const readme = readFileSync(join(PROJECT_ROOT, 'README.md'), 'utf8');

test.each(files)('%s: no findings, and a comment that says how it is run', (file) => {
  const source = readFileSync(join(PROJECT_ROOT, 'pipelines', file), 'utf8');
  const found = check({ source, sourceName: `pipelines/${file}`, catalog });
  // A schedule's hint is the command that creates it.
  expect(found.filter(({ rule }) => rule !== 'schedule')).toEqual([]);
  const [comment = ''] = /^(#.*\n)+/.exec(source) ?? [];
  expect(comment).toContain(' ─> ');
  const command = comment.replaceAll(' \\\n#  ', '');
  expect(command).toMatch(
    new RegExp(
      String.raw`^# temporal (workflow start|schedule create) .*--type pipeline --task-queue retune .*` +
        `--input-file pipelines/${file} --input-meta encoding=binary/plain$`,
      'm',
    ),
  );
  if (!command.includes('schedule create')) return;
  const hints = found.map(({ message }) => message.split('created with: ')[1]);
  expect(hints.some((hint) => hint !== undefined && command.includes(`# ${hint}\n`))).toBe(true);
});

test.each(files)('%s is in the table of examples of the README', (file) => {
  expect(readme).toContain(`(pipelines/${file})`);
});
