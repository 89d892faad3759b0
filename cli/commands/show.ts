import { withServer } from './session.ts';
import { printJson, printLines, renderRun } from '../output.ts';
import { viewRun } from '../run-view.ts';
import { waitingNote } from '../task-queues.ts';

/** `retune show ID` */
export async function show(id: string, { json }: { json?: boolean }): Promise<number> {
  return withServer(async (connected, store) => {
    const { state, live, waiting } = await viewRun(connected, store, id);
    if (json) {
      printJson(Object.keys(live).length > 0 ? { ...state, live } : state);
      return 0;
    }
    printLines(renderRun(id, state, live));
    for (const { step, queue } of waiting) {
      if (step === '') printLines([waitingNote(queue)]);
    }
    for (const [step, { error }] of Object.entries(state.steps)) {
      if (error) printLines(['', `step '${step}' failed (${error.type}):`, error.message]);
    }
    const isStepError = Object.values(state.steps).some(({ error }) => error !== undefined);
    if (state.error && !isStepError) printLines(['', state.error.message]);
    return 0;
  });
}
