import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, vi } from 'vitest';
import { catalog } from '../../activities/catalog.ts';
import { compilePipeline } from '../../activities/compile-pipeline.ts';
import type { ActivityDependencies } from '../../activities/activities.ts';
import { PROJECT_ROOT } from '../../setup/dependencies.mjs';
import { getRun } from '../../store/runs.ts';
import { storeTest } from '../data/temporary-store.ts';

const GOLDEN = join(PROJECT_ROOT, 'test', 'language', 'golden');
const RUN = { workflowId: 'w', executionRunId: 'r' };

storeTest('a submission that is wrong fails with the text of each example', async ({ store }) => {
  const dependencies = { store, catalog } as unknown as ActivityDependencies;
  const compared: string[] = [];
  for (const rule of readdirSync(GOLDEN).filter((name) => name !== 'valid')) {
    const source = readFileSync(join(GOLDEN, rule, 'example.yaml'));
    const expected = readFileSync(join(GOLDEN, rule, 'example.out'), 'utf8').trimEnd();
    const params = JSON.parse(/^# params: (.*)\n/.exec(source.toString())?.[1] ?? '{}') as object;
    const options = { params, source_name: 'example.yaml' } as never;
    const failure = await compilePipeline(dependencies, source, options, RUN).then(
      () => undefined,
      (error: unknown) => error,
    );
    // Hints alone refuse nothing.
    if (failure === undefined) continue;
    expect(failure).toMatchObject({ type: 'InvalidInput', nonRetryable: true, message: expected });
    compared.push(rule);
  }
  expect(compared.length).toBeGreaterThan(15);
});

afterEach(() => vi.useRealTimers());

storeTest(
  'a newer submission is the one that is resumed, whatever the clocks of the workers say',
  async ({ store }) => {
    const dependencies = { store, catalog } as unknown as ActivityDependencies;
    const source = readFileSync(join(GOLDEN, 'valid', 'cache.yaml'));
    const submit = async (executionRunId: string, hour: number): Promise<void> => {
      vi.useFakeTimers({ now: Date.UTC(2026, 0, 1, hour), toFake: ['Date'] });
      const options = { source_name: executionRunId } as never;
      await compilePipeline(dependencies, source, options, { ...RUN, executionRunId });
    };
    await submit('by a clock that is ahead', 12);
    await submit('by a clock that is right', 7);
    expect(await getRun(store, 'w')).toMatchObject({
      executionRunId: 'by a clock that is right',
      options: { source_name: 'by a clock that is right' },
    });
  },
);
