import type { RunState } from '../../plan/plan.ts';
import type { Store } from '../../store/store.ts';
import type { Connected } from '../connection.ts';
import { INTERRUPTED_EXIT_CODE } from '../command-error.ts';
import { exitCodeOf, followRun } from '../follow.ts';
import { printJson, printLines } from '../output.ts';
import { pauseHints } from '../pause-hints.ts';
import { runDocument } from '../run-view.ts';

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
  process.once('SIGINT', () => leave(id));
  const view = await followRun(connected, store, id, { quiet: json });
  if (json) printJson({ id, ...runDocument(view) });
  else if (view.state.status === 'paused') printLines(['', ...pauseHints(id, view.state)]);
  else if (view.state.status !== 'completed') printFailure(id, view.state);
  return exitCodeOf(view.state.status);
}

/** Ctrl-C ends following, not the run. */
function leave(id: string): never {
  process.stderr.write(
    `\nthe run goes on: 'retune show ${id}' shows it, 'retune cancel ${id}' stops it\n`,
  );
  process.exit(INTERRUPTED_EXIT_CODE);
}

function printFailure(id: string, { status, error }: RunState): void {
  printLines([
    '',
    `run ${id}: ${status}`,
    ...(error ? [error.message] : []),
    `'retune resume ${id}' continues where it stopped, once the cause is mended;`,
    `after a change of the file, 'retune run FILE --id ${id}' does`,
  ]);
}
