import { WorkflowNotFoundError, type WorkflowExecutionDescription } from '@temporalio/client';
import { SEARCH_WORKFLOW, searchWorkflow } from '../plan/names.ts';
import type { StepId } from '../plan/plan.ts';
import type { Connected } from './connection.ts';
import type { PendingActivity } from './task-queues.ts';

type Raw = WorkflowExecutionDescription['raw'];

/** An activity that a step of a run waits for. */
export interface StepActivity {
  readonly step: StepId;
  readonly activity: PendingActivity;
}

/** Trials of one search that are looked at. */
const MAX_TRIALS = 10;

/** Activities of the trials that are under way, of the steps of a run that have a search. */
export async function trialActivities(
  connected: Connected,
  run: string,
  { pendingChildren }: Raw,
  steps: readonly StepId[],
): Promise<readonly StepActivity[]> {
  const found: StepActivity[] = [];
  for (const { workflowId, workflowTypeName } of pendingChildren ?? []) {
    const step = steps.find((id) => searchWorkflow(run, id) === workflowId);
    if (workflowTypeName !== SEARCH_WORKFLOW || step === undefined) continue;
    const search = await described(connected, workflowId);
    for (const trial of (search?.pendingChildren ?? []).slice(0, MAX_TRIALS)) {
      const activities = (await described(connected, trial.workflowId))?.pendingActivities ?? [];
      found.push(...activities.map((activity) => ({ step, activity })));
    }
  }
  return found;
}

/** Undefined of one that has ended and been deleted since. */
async function described(
  { client }: Connected,
  id: string | null | undefined,
): Promise<Raw | undefined> {
  try {
    return (await client.workflow.getHandle(id ?? '').describe()).raw;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}
