import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { PROJECT_ROOT } from '../../setup/dependencies.mjs';
import { startWorker } from '../setup/processes.ts';
import { testSite, type TestSite } from '../setup/temporal.ts';
import { submit } from './observed-run.ts';

const EXAMPLE = join(PROJECT_ROOT, 'pipelines', 'search.yaml');
let site: TestSite;
beforeAll(async () => {
  site = await testSite();
  await startWorker(site);
});

describe('a step with a search', () => {
  test('the example', async () => {
    const run = await submit(site, 'search', EXAMPLE);
    const state = await run.ended();
    console.log(JSON.stringify(state, null, 1));
    expect(state.status).toBe('completed');
  });
});
