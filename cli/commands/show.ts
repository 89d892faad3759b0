import { withServer } from './session.ts';
import { printJson, printLines, renderArtifacts, renderRun } from '../output.ts';
import { runDocument, viewRun } from '../run-view.ts';
import { waitingNote } from '../task-queues.ts';

/** `retune show ID` */
export async function show(id: string, { json }: { json?: boolean }): Promise<number> {
  return withServer(async (connected, store) => {
    const view = await viewRun(connected, store, id);
    if (json) {
      printJson(runDocument(view));
      return 0;
    }
    const { state, live, waiting } = view;
    printLines(renderRun(id, state, live));
    for (const { step, queue } of waiting) {
      if (step === '') printLines([waitingNote(queue)]);
    }
    const artifacts = renderArtifacts(state);
    if (artifacts.length > 0) printLines(['', 'artifacts:', ...artifacts.map((row) => `  ${row}`)]);
    for (const [step, { error }] of Object.entries(state.steps)) {
      if (error) printLines(['', `step '${step}' failed (${error.type}):`, error.message]);
    }
    const isStepError = Object.values(state.steps).some(({ error }) => error !== undefined);
    if (state.error && !isStepError) printLines(['', state.error.message]);
    return 0;
  });
}
