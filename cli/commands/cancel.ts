import { WorkflowFailedError, WorkflowNotFoundError } from '@temporalio/client';
import { CommandError } from '../command-error.ts';
import { printJson, printLines } from '../output.ts';
import { unknownRun, viewRun } from '../run-view.ts';
import { withServer } from './session.ts';

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
      await handle.result().catch((error: unknown) => {
        if (!(error instanceof WorkflowFailedError)) throw error;
      });
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) throw unknownRun(id);
      throw error;
    }
    const { state } = await viewRun(connected, store, id);
    if (json) printJson(state);
    else printLines([`run ${id}: ${state.status}`]);
    return 0;
  });
}
