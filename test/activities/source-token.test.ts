import { cp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { downloadDataset } from '../../activities/download-dataset.ts';
import { downloadModel } from '../../activities/download-model.ts';
import { PROJECT_ROOT } from '../../setup/dependencies.mjs';
import { startHubServer } from '../servers/hub-server.ts';
import { cleanUp } from '../setup/cleanup.ts';
import { KindRunner } from './kind-runner.ts';

const MODEL = join(PROJECT_ROOT, 'test/fixtures/lora/gpt2');
const TOKENIZER = join(PROJECT_ROOT, 'pipelines/data/tokenizer');

test('a token goes to the hf:// sources of a step, and is refused where there are none', async () => {
  const files = {
    'config.json': await readFile(join(MODEL, 'config.json')),
    'model.safetensors': await readFile(join(MODEL, 'model.safetensors')),
  };
  const readme = '---\nconfigs:\n- config_name: default\n  data_files: rows.csv\n---\n';
  const hub = await startHubServer([
    { type: 'model', name: 'acme/gpt', private: true, files },
    {
      ...{ type: 'dataset', name: 'acme/rows', private: true },
      files: { 'README.md': readme, 'rows.csv': 'text\nhello\n' },
    },
  ]);
  cleanUp(() => hub.close());
  const kinds = await KindRunner.open({ HF_ENDPOINT: hub.url });
  await cp(TOKENIZER, join(kinds.dataRoot, 'tokenizer'), { recursive: true });
  const { token } = hub;
  const model = { source: 'hf://acme/gpt', tokenizer: 'file:tokenizer' };
  const dataset = { source: 'hf://datasets/acme/rows' };

  await expect(kinds.run(downloadModel, model)).rejects.toMatchObject({ type: 'Unauthorized' });
  await expect(kinds.run(downloadDataset, dataset)).rejects.toMatchObject({
    type: 'Unauthorized',
  });
  expect((await kinds.run(downloadModel, { ...model, token }))['parameters']).toBeGreaterThan(0);
  expect((await kinds.run(downloadDataset, { ...dataset, token }))['rows']).toBe(1);

  const fresh = { tokenizer: 'file:tokenizer', token };
  await expect(kinds.run(downloadModel, fresh)).rejects.toMatchObject({
    type: 'InvalidInput',
    message: 'token is for hf:// sources, and there is none: remove it',
  });
});
