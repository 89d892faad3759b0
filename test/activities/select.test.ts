import { expect, test } from 'vitest';
import { catalog, type AnyStep } from '../../activities/catalog.ts';
import type { JsonObject } from '../../plan/json.ts';
import { artifactFile, readManifest } from '../../store/artifacts.ts';
import type { ArtifactDigest } from '../../store/store.ts';
import { readFile } from 'node:fs/promises';
import { KindRunner } from './kind-runner.ts';

const select = catalog.find(({ kind }) => kind === 'select') as AnyStep;

const RESULTS = [
  { metrics: { eval_loss: 0.5, eval_accuracy: 0.7 }, name: 'a' },
  {},
  { metrics: { eval_loss: 0.4, eval_accuracy: 0.9 }, name: 'b' },
  { metrics: { eval_loss: 0.4, eval_accuracy: 0.9 }, name: 'c' },
];

test.each<[string, JsonObject, number]>([
  ['the highest', { by: 'metrics.eval_accuracy' }, 2],
  ['of a loss the lowest', { by: 'metrics.eval_loss' }, 2],
  ['the lowest, when asked for', { by: 'metrics.eval_accuracy', goal: 'minimize' }, 0],
  ['the highest, when asked for', { by: 'metrics.eval_loss', goal: 'maximize' }, 0],
])('%s is chosen, of equal ones the first', async (_, inputs, index) => {
  const kinds = await KindRunner.open();
  const outputs = await kinds.run(select, { from: RESULTS, ...inputs });
  expect(outputs).toMatchObject({ index, chosen: RESULTS[index], matrix: {} });
});

test('the table has every number, best first, with its entry', async () => {
  const kinds = await KindRunner.open();
  const matrix = [{ x: 1 }, { x: 2 }, { x: 3 }, { x: 4 }];
  const outputs = await kinds.run(select, { from: RESULTS, by: 'metrics.eval_loss', matrix });
  expect(outputs).toMatchObject({ matrix: { x: 3 }, value: 0.4 });
  const manifest = await readManifest(kinds.store, outputs['table'] as ArtifactDigest);
  const file = await artifactFile(kinds.store, manifest, 'table.json');
  expect(JSON.parse(await readFile(file, 'utf8'))).toEqual([
    { index: 2, value: 0.4, matrix: { x: 3 } },
    { index: 3, value: 0.4, matrix: { x: 4 } },
    { index: 0, value: 0.5, matrix: { x: 1 } },
  ]);
});

test.each<[string, JsonObject, string]>([
  ['no results', { from: [], by: 'x' }, "'from' is an empty list: there is nothing to select"],
  [
    'a path that none has',
    { from: RESULTS, by: 'metrics.accuracy' },
    "no result has a number 'metrics.accuracy'; expected metrics.eval_loss, metrics.eval_accuracy",
  ],
  [
    'text',
    { from: [{ name: 'a' }], by: 'name' },
    "no result has a number 'name'; they have no numbers",
  ],
])('%s is refused', async (_, inputs, message) => {
  const kinds = await KindRunner.open();
  await expect(kinds.run(select, inputs)).rejects.toMatchObject({ type: 'InvalidInput', message });
});
