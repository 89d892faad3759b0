import { setTimeout as sleep } from 'node:timers/promises';
import logUpdate from 'log-update';
import type { RunStatus } from '../plan/plan.ts';
import { orderedSteps } from '../plan/run-state.ts';
import type { Store } from '../store/store.ts';
import type { Connected } from './connection.ts';
import { renderProgress, renderRun, runTitle, stepRemark } from './output.ts';
import { viewRun, type RunView } from './run-view.ts';
import { waitingNote } from './task-queues.ts';

const POLL_MS = 500;
/** Lines of a step's progress come this far apart, where there is no terminal. */
const PROGRESS_LINE_MS = 5_000;

export interface FollowOptions {
  /** Ends following, not the run. */
  readonly signal?: AbortSignal;
  readonly quiet?: boolean;
}

/** Shows a run until it ends or pauses: a live table on a terminal, plain lines elsewhere. */
export async function followRun(
  connected: Connected,
  store: Store,
  id: string,
  { signal, quiet = false }: FollowOptions = {},
): Promise<RunView> {
  const isTable = !quiet && isTerminal();
  const show = isTable ? showTable : quiet ? () => undefined : showLines();
  for (;;) {
    const view = await viewRun(connected, store, id);
    const ended = view.state.status !== 'running';
    show(view);
    if (ended || signal?.aborted) {
      if (isTable) logUpdate.done();
      return view;
    }
    await sleep(POLL_MS, undefined, signal ? { signal } : {}).catch(() => undefined);
  }
}

/** Some pseudo-terminals have no size, and so no room for a table. */
function isTerminal(): boolean {
  const { isTTY, rows, columns } = process.stdout;
  return isTTY && rows > 0 && columns > 0;
}

function showTable(view: RunView): void {
  const waiting = waitingRun(view);
  const lines = renderRun(view.id, view.state, view.live, process.stdout.columns);
  logUpdate([...lines, ...(waiting === undefined ? [] : [waiting])].join('\n'));
}

/** A note on the run itself; that of a step stands beside the step. */
function waitingRun({ waiting }: RunView): string | undefined {
  const run = waiting.find(({ step }) => step === '');
  return run && waitingNote(run.queue);
}

/** Prints what changed since the last look, a line each. */
function showLines(): (view: RunView) => void {
  const seen = new Map<string, string>();
  const lastProgress = new Map<string, number>();
  const say = (key: string, line: string): void => {
    if (seen.get(key) === line) return;
    seen.set(key, line);
    process.stdout.write(`${line}\n`);
  };
  return (view) => {
    const { id, state, live } = view;
    const title = runTitle(id, state);
    if (state.status === 'running' && state.name !== '') say('', title);
    for (const [name, step] of orderedSteps(state)) {
      if (step.status === 'pending') continue;
      const remark = stepRemark(step);
      say(name, `  ${name}: ${step.status}${remark ? `: ${remark}` : ''}`);
    }
    const waiting = waitingRun(view);
    if (waiting !== undefined) say('waiting', waiting);
    if (state.status !== 'running') say('', title);
    for (const [step, details] of Object.entries(live)) {
      const progress = renderProgress(details);
      const isRecent = Date.now() - (lastProgress.get(step) ?? 0) < PROGRESS_LINE_MS;
      if (progress === '' || isRecent) continue;
      lastProgress.set(step, Date.now());
      say(`${step} progress`, `  ${step}: ${progress}`);
    }
  };
}

/** Exit code of a command that followed a run. */
export function exitCodeOf(status: RunStatus): number {
  if (status === 'completed') return 0;
  return status === 'paused' ? 3 : 1;
}
