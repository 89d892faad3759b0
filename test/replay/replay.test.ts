import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import { bundleWorkflowCode, DefaultLogger, Runtime, Worker } from '@temporalio/worker';
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
beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  workflowBundle = await bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL('../../workflows/index.ts', import.meta.url)),
    logger: new DefaultLogger('ERROR'),
  });
});

function read(file: string): HistoryJson {
  return JSON.parse(readFileSync(`${FOLDER}/${file}`, 'utf8')) as HistoryJson;
}

function replay(history: HistoryJson): Promise<void> {
  // A workflow names its children by its own id.
  const id = history.events[0]?.workflowExecutionStartedEventAttributes?.workflowId;
  return Worker.runReplayHistory({ workflowBundle }, historyFromJSON(history), id);
}

test('there are histories of a run that completed, failed, was cancelled, had a matrix or a search, and hit the cache', () => {
  expect(files).toEqual([
    'cached.json',
    'cancelled.json',
    'completed.json',
    'failed.json',
    'matrix-failed.json',
    'matrix.json',
    'search-child.json',
    'search.json',
    'trial.json',
    'verified.json',
  ]);
});

test.each(files)('%s replays', async (file) => {
  await expect(replay(read(file))).resolves.toBeUndefined();
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
