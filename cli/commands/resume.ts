import { getRun } from '../../store/runs.ts';
import { resumption } from '../resumption.ts';
import { unknownRun } from '../run-view.ts';
import { submit } from '../submission.ts';
import { withServer } from './session.ts';
import { followSubmission, type SubmissionFlags } from './follow-submission.ts';

/** `retune resume ID`: the run's own input again; what is in the cache is not done twice. */
export async function resume(id: string, flags: SubmissionFlags): Promise<number> {
  return withServer(async (connected, store) => {
    const record = await getRun(store, id);
    if (record === undefined) throw unknownRun(id);
    await submit(connected, { id, ...(await resumption(store, record)) });
    return followSubmission(connected, store, id, flags);
  });
}
