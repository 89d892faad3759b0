import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { previewRun } from '../../../activities/preview/preview.ts';
import { compile } from '../../../language/compile.ts';
import { openStore } from '../../../store/open.ts';
import { temporaryFolder } from '../../setup/folders.ts';
import { lightKinds } from './kinds.ts';

const STEPS = 2000;
/** Several times what it takes; with a cost of the square of the steps it was 30 s. */
const BOUND_MS = 5000;

/** So many steps that read one before. @param read the place of the step that one reads */
function sourceOf(read: (index: number) => number): string {
  const steps = Array.from({ length: STEPS }, (_, index) => {
    if (index === 0) return ['s0', { uses: 'read@1', with: { source: 'rows' } }];
    const dataset = `\${{ steps.s${read(index)}.outputs.dataset }}`;
    return [`s${index}`, { uses: 'rewrite@1', with: { dataset } }];
  });
  return JSON.stringify({ name: 'large', steps: Object.fromEntries(steps) as object });
}

test.each<[string, (index: number) => number]>([
  ['in one chain', (index) => index - 1],
  ['side by side', () => 0],
])(`a plan of ${STEPS} steps %s is told soon`, async (_, read) => {
  const home = await temporaryFolder();
  await writeFile(join(home, 'rows'), 'row');
  const catalog = lightKinds(1);
  const compiled = compile({ source: sourceOf(read), catalog });
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.diagnostics));
  const store = await openStore(`file:${join(home, 'store')}`);
  const before = process.cpuUsage();
  const { steps } = await previewRun({
    ...{ plan: compiled.plan, store, catalog, workRoot: home },
    env: { RETUNE_DATA_ROOT: home },
    signal: new AbortController().signal,
  });
  const { user, system } = process.cpuUsage(before);
  expect(steps.at(-1)?.outcome).toMatchObject({ kind: 'unknown', until: ['s0'] });
  expect((user + system) / 1000).toBeLessThan(BOUND_MS);
});
