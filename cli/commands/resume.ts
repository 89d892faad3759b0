import { getRun } from '../../store/runs.ts';
import type { PipelineOptions } from '../../activities/contract.ts';
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
    // What was asked to run again has run: a resumption continues, it does not start over.
    const { force: _force, from: _from, ...options } = record.options as PipelineOptions;
    await submit(connected, { id, source, options });
    return followSubmission(connected, store, id, flags);
  });
}
