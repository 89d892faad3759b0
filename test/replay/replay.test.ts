import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import {
  bundleWorkflowCode,
  DefaultLogger,
  type ReplayWorkerOptions,
  Runtime,
  Worker,
} from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';
import { beforeAll, expect, test } from 'vitest';

// Histories of real runs, recorded by record-histories.ts. A workflow that is changed must go on with
// them: a failure here would be a run that stands still for ever.
const FOLDER = fileURLToPath(new URL('histories', import.meta.url));
const files = readdirSync(FOLDER).toSorted();

interface HistoryJson {
  events: {
    eventType: string;
    workflowExecutionStartedEventAttributes?: { workflowId: string };
    activityTaskScheduledEventAttributes?: { activityType: { name: string } };
  }[];
}

let workflowBundle: { code: string };
let tracedBundle: { code: string };
beforeAll(async () => {
  const logger = new DefaultLogger('ERROR');
  Runtime.install({ logger });
  const workflowsPath = fileURLToPath(new URL('../../workflows/index.ts', import.meta.url));
  workflowBundle = await bundleWorkflowCode({ workflowsPath, logger });
  const interceptors = '@temporalio/interceptors-opentelemetry/lib/workflow-interceptors';
  tracedBundle = await bundleWorkflowCode({
    ...{ workflowsPath, logger },
    workflowInterceptorModules: [createRequire(import.meta.url).resolve(interceptors)],
  });
});

function read(file: string): HistoryJson {
  return JSON.parse(readFileSync(`${FOLDER}/${file}`, 'utf8')) as HistoryJson;
}

function replay(
  history: HistoryJson,
  options: ReplayWorkerOptions = { workflowBundle },
): Promise<void> {
  // A workflow names its children by its own id.
  const id = history.events[0]?.workflowExecutionStartedEventAttributes?.workflowId;
  return Worker.runReplayHistory(options, historyFromJSON(history), id);
}

test('there are histories of a run that completed, failed, was cancelled, had a matrix or a search, paused, hit the cache, and set search attributes', () => {
  expect(files).toEqual([
    'cached.json',
    'cancelled.json',
    'completed.json',
    'failed.json',
    'matrix-failed.json',
    'matrix.json',
    'paused.json',
    'search-child.json',
    'search.json',
    'trial.json',
    'verified.json',
    'visible.json',
  ]);
});

test.each(files)('%s replays', async (file) => {
  await expect(replay(read(file))).resolves.toBeUndefined();
});

test.each(files)('%s replays where traces are sent', async (file) => {
  const sinks = { exporter: { export: { fn: () => undefined, callDuringReplay: false } } };
  const options = { workflowBundle: tracedBundle, sinks };
  await expect(replay(read(file), options)).resolves.toBeUndefined();
});

test('a history of another workflow does not replay', async () => {
  const history = read('completed.json');
  const scheduled = history.events.find(
    ({ activityTaskScheduledEventAttributes: attributes }) =>
      attributes?.activityType.name === 'train',
  );
  if (!scheduled?.activityTaskScheduledEventAttributes) throw new Error('no training in it');
  scheduled.activityTaskScheduledEventAttributes.activityType.name = 'tokenize';
  await expect(replay(history)).rejects.toThrow(DeterminismViolationError);
});
