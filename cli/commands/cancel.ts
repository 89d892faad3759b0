import { setTimeout as sleep } from 'node:timers/promises';
import {
  WorkflowFailedError,
  WorkflowNotFoundError,
  type WorkflowHandle,
} from '@temporalio/client';
import { CONTROL_QUEUE } from '../../plan/names.ts';
import { CommandError } from '../command-error.ts';
import type { Connected } from '../connection.ts';
import { printJson, printLines } from '../output.ts';
import { runDocument, unknownRun, viewRun } from '../run-view.ts';
import { hasWorker, workerCommand } from '../task-queues.ts';
import { withServer } from './session.ts';

/** How often a run that does not end is asked whether somebody is there to end it. */
const POLL_MS = 5_000;

/** `retune cancel ID`: running steps checkpoint first; waits until the run has ended. */
export async function cancel(id: string, { json }: { json?: boolean }): Promise<number> {
  return withServer(async (connected, store) => {
    const handle = connected.client.workflow.getHandle(id);
    try {
      const { status } = await handle.describe();
      if (status.name !== 'RUNNING') {
        throw new CommandError(`run '${id}' has ended already (${status.name.toLowerCase()})`);
      }
      await handle.cancel();
      await untilEnded(connected, handle);
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) throw unknownRun(id);
      throw error;
    }
    const view = await viewRun(connected, store, id);
    if (json) printJson(runDocument(view));
    else printLines([`run ${id}: ${view.state.status}`]);
    return 0;
  });
}

async function untilEnded(connected: Connected, handle: WorkflowHandle): Promise<void> {
  const controller = new AbortController();
  const { signal } = controller;
  const ended = connected.client.withAbortSignal(signal, () => handle.result());
  const outcome = ended.catch((error: unknown) => {
    if (!signal.aborted && !(error instanceof WorkflowFailedError)) throw error;
  });
  try {
    for (;;) {
      const isEnded = await Promise.race([
        outcome.then(() => true),
        sleep(POLL_MS, false, { signal }),
      ]);
      if (isEnded) return;
      if (await hasWorker(connected, CONTROL_QUEUE, 'workflow')) continue;
      throw new CommandError(
        `run '${handle.workflowId}' was told to end, but no worker on ${CONTROL_QUEUE} does it: ` +
          `start one, and it is cancelled: ${workerCommand(CONTROL_QUEUE)}`,
      );
    }
  } finally {
    controller.abort();
  }
}
