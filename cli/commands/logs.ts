import { setTimeout as sleep } from 'node:timers/promises';
import { readAttempts } from '../../store/ledger.ts';
import { getRun } from '../../store/runs.ts';
import type { Store } from '../../store/store.ts';
import type { Connected } from '../connection.ts';
import { printJson, printLines, renderProgress } from '../output.ts';
import { runEvents, type RunEvent } from '../run-log.ts';
import { unknownRun, viewRun } from '../run-view.ts';
import { withServer } from './session.ts';

interface LogsFlags {
  readonly step?: string;
  readonly follow?: boolean;
  readonly json?: boolean;
}

const POLL_MS = 1_000;

/** `retune logs ID`: what the store knows of what happened, and with `--follow` what happens. */
export async function logs(id: string, flags: LogsFlags): Promise<number> {
  return withServer(async (connected, store) => {
    const said = new Set<string>();
    const say = (event: RunEvent): void => {
      if (flags.step !== undefined && event.step !== flags.step) return;
      const key = `${event.step} ${event.text}`;
      if (said.has(key)) return;
      said.add(key);
      const time = new Date(event.at).toISOString();
      if (flags.json) printJson({ ...event, at: time });
      else printLines([[time, event.step, event.text].filter((part) => part !== '').join('  ')]);
    };
    for (;;) {
      const { events, hasEnded } = await lookAt(connected, store, id);
      for (const event of events) say(event);
      if (!flags.follow || hasEnded) return 0;
      await sleep(POLL_MS);
    }
  });
}

async function lookAt(
  connected: Connected,
  store: Store,
  id: string,
): Promise<{ events: readonly RunEvent[]; hasEnded: boolean }> {
  const view = await viewRun(connected, store, id);
  // After the state: what is told of a step that has ended is then in the ledger.
  const record = await getRun(store, id);
  if (record === undefined) throw unknownRun(id);
  const attempts = await readAttempts(store, { workflowId: id });
  const live = Object.entries(view.live).flatMap(([step, details]): readonly RunEvent[] => {
    const text = renderProgress(details);
    return text === '' ? [] : [{ at: Date.now(), step, text }];
  });
  const hasEnded = !['running', 'paused'].includes(view.state.status);
  return { events: [...runEvents(record, view.state, attempts), ...live], hasEnded };
}
