import type { Store } from '../../store/store.ts';
import type { Connected } from '../connection.ts';
import { exitCodeOf, followRun } from '../follow.ts';
import { printJson, printLines } from '../output.ts';

export interface SubmissionFlags {
  readonly detach?: boolean;
  readonly json?: boolean;
}

/** Follows a submitted run as its flags say, and gives the command's exit code. */
export async function followSubmission(
  connected: Connected,
  store: Store,
  id: string,
  { detach, json = false }: SubmissionFlags,
): Promise<number> {
  if (detach) {
    if (json) printJson({ id });
    else printLines([`run ${id} submitted: 'retune show ${id}' shows how it goes`]);
    return 0;
  }
  const { state } = await followRun(connected, store, id, { quiet: json });
  if (json) printJson({ id, ...state });
  else if (state.status !== 'completed') printFailure(id, state);
  return exitCodeOf(state.status);
}

function printFailure(id: string, state: Awaited<ReturnType<typeof followRun>>['state']): void {
  printLines(['', `run ${id}: ${state.status}`]);
  if (state.error) printLines([state.error.message]);
  printLines([`after a fix, 'retune resume ${id}' continues where it stopped`]);
}
