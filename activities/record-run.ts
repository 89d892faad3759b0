import { Failure } from '../plan/failures.ts';
import { getRun, putRun, type RunRecord } from '../store/runs.ts';
import type { ActivityDependencies } from './activities.ts';
import type { RecordRunInput } from './contract.ts';
import { controlFailure } from './failures.ts';

/**
 * Writes how a run stands into the store, where it outlives Temporal's retention. An execution that
 * `temporal workflow reset` made goes on after the compiler, and takes the record over here.
 *
 * @param parts what the fingerprints of steps about to start are of, by step
 * @throws ApplicationFailure NotFound when the store has no record of the run
 */
export async function recordRun(
  { store }: ActivityDependencies,
  { run: { workflowId, executionRunId }, state, endedAt }: RecordRunInput,
  parts: RunRecord['parts'] = {},
): Promise<void> {
  try {
    const record = await getRun(store, workflowId);
    if (record === undefined) {
      throw new Failure(
        'NotFound',
        `the store has no record of run '${workflowId}', which it had when the run began: ` +
          'let all workers use one RETUNE_STORE, keep its files, and submit the run again',
      );
    }
    const { endedAt: _, ...known } = record;
    const ended = endedAt === undefined ? {} : { endedAt };
    const { name, status } = state;
    await putRun(store, {
      ...{ ...known, executionRunId, name, status, state, ...ended },
      parts: { ...known.parts, ...parts },
    });
  } catch (error) {
    throw controlFailure(error);
  }
}
