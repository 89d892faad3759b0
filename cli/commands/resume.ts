import { getRun, type RunRecord } from '../../store/runs.ts';
import type { JsonObject, JsonValue } from '../../plan/json.ts';
import { unknownRun } from '../run-view.ts';
import { submit } from '../submission.ts';
import { withServer } from './session.ts';
import { followSubmission, type SubmissionFlags } from './follow-submission.ts';

/** `retune resume ID`: the run's own input again; what is in the cache is not done twice. */
export async function resume(id: string, flags: SubmissionFlags): Promise<number> {
  return withServer(async (connected, store) => {
    const record = await getRun(store, id);
    if (record === undefined) throw unknownRun(id);
    const source = await store.getBlob(record.source);
    await submit(connected, { id, source, options: continuing(record) });
    return followSubmission(connected, store, id, flags);
  });
}

/** What was asked to run again has run, once steps have begun: a resumption does not start over. */
function continuing({ options, state }: RunRecord): JsonValue {
  if (Object.keys(state.steps).length === 0) return options;
  if (typeof options !== 'object' || options === null || Array.isArray(options)) return options;
  const { force: _force, from: _from, ...rest } = options as JsonObject;
  return rest;
}
