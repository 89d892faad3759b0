import { Failure } from '../plan/failures.ts';
import { getRun, putRun } from '../store/runs.ts';
import type { ActivityDependencies } from './activities.ts';
import type { RecordRunInput } from './contract.ts';
import { controlFailure } from './failures.ts';

/** Writes how a run stands into the store, where it outlives Temporal's retention. */
export async function recordRun(
  { store }: ActivityDependencies,
  { run, state, endedAt }: RecordRunInput,
): Promise<void> {
  try {
    const record = await getRun(store, run.workflowId);
    if (record?.executionRunId !== run.executionRunId) {
      const id = `${run.workflowId}, execution ${run.executionRunId}`;
      throw new Failure('Internal', `internal: the store has no record of run ${id}`);
    }
    const ended = endedAt === undefined ? {} : { endedAt };
    await putRun(store, { ...record, name: state.name, status: state.status, state, ...ended });
  } catch (error) {
    throw controlFailure(error);
  }
}
