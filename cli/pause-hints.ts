import type { RunState } from '../plan/plan.ts';
import { orderedSteps } from '../plan/run-state.ts';

/** Of more steps the commands are those of the first. */
const MAX_STEPS = 5;

/** What a person can do about a run that is paused, as commands. */
export function pauseHints(id: string, state: RunState): readonly string[] {
  const paused = orderedSteps(state).filter(([, { status }]) => status === 'paused');
  const asking = paused.filter(([, { question }]) => question !== undefined);
  const failed = paused.filter(([, { question }]) => question === undefined);
  return [
    ...asking
      .slice(0, MAX_STEPS)
      .flatMap(([step, { question = '' }]) => [
        `${step} asks: ${question}`,
        `  'retune approve ${id} ${quoted(step)}', or with --reject`,
      ]),
    ...failed
      .slice(0, MAX_STEPS)
      .flatMap(([step, { error }]) => [
        `${step} failed: ${error?.message ?? ''}`,
        `  'retune retry ${id} ${quoted(step)}' tries it again, once the cause is mended;`,
        `  'retune skip ${id} ${quoted(step)}' leaves it out, 'retune set-params ${id} -p NAME=VALUE' changes params`,
      ]),
    ...(paused.length === 0 ? [`'retune resume ${id}' lets it go on`] : []),
    `'retune cancel ${id}' ends the run`,
  ];
}

/** Ids of a matrix's entries hold blanks and brackets. */
function quoted(step: string): string {
  return /^[\w.-]+$/.test(step) ? step : `"${step}"`;
}
