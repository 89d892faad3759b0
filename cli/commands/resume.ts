import { getRun } from '../../store/runs.ts';
import { resumption } from '../resumption.ts';
import { unknownRun } from '../run-view.ts';
import { submit } from '../submission.ts';
import { endPause } from './interventions.ts';
import { withServer } from './session.ts';
import { followSubmission, type SubmissionFlags } from './follow-submission.ts';

/**
 * `retune resume ID`: ends a pause; of a run that has ended its own input again: what is in the cache
 * is not done twice.
 */
export async function resume(id: string, flags: SubmissionFlags): Promise<number> {
  return withServer(async (connected, store) => {
    if (await endPause(connected, id)) return followSubmission(connected, store, id, flags);
    const record = await getRun(store, id);
    if (record === undefined) throw unknownRun(id);
    await submit(connected, { id, ...(await resumption(store, record)) });
    return followSubmission(connected, store, id, flags);
  });
}
