import {
  ActivityCancellationType,
  proxyActivities,
  proxyLocalActivities,
  type ActivityOptions,
} from '@temporalio/workflow';
import type {
  CacheAnswer,
  ControlActivities,
  ResolveSourceInput,
  ResolveSourceResult,
  RunStepInput,
  RunStepResult,
  SourceActivities,
  StepActivities,
  VerifyHitInput,
} from '../activities/contract.ts';
import {
  CONTROL_QUEUE,
  revisionActivity,
  verificationActivity,
  WORK_QUEUE,
} from '../plan/names.ts';

const RETRY = { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '10s' } as const;
const startToCloseTimeout = '10 minutes';

/** Nothing is lost yet, or no more: a store that cannot be written does not hold the run up. */
const { compilePipeline, recordRun: recordFailure } = proxyLocalActivities<ControlActivities>({
  startToCloseTimeout,
  retry: { ...RETRY, maximumAttempts: 5 },
});
/** Somebody waits for the answer: a few tries, and then a word of what is wrong. */
const { changeParams, checkOutputs } = proxyLocalActivities<ControlActivities>({
  startToCloseTimeout,
  retry: { ...RETRY, maximumAttempts: 3 },
});
/** A store that is away for long ends the run, too, about 5 minutes later: nobody sees these tries. */
const { prepareSteps, recordRun } = proxyLocalActivities<ControlActivities>({
  startToCloseTimeout,
  retry: { ...RETRY, maximumAttempts: 30 },
});

/** Short work beside the workflow: no round trip through a queue. */
export const control = {
  ...{ compilePipeline, prepareSteps, recordRun, recordFailure },
  ...{ changeParams, checkOutputs },
};

/**
 * A worker that dies is noticed after the heartbeat timeout and replaced within 2 s, as often as
 * needed: attempts that a step reports as failed are counted by the activity, not by this policy.
 */
const DURABLE = {
  heartbeatTimeout: '15s',
  startToCloseTimeout: '3650 days',
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  retry: { initialInterval: '2s', backoffCoefficient: 1 },
} satisfies ActivityOptions;

const cache = proxyActivities<Pick<ControlActivities, 'verifyHit'>>({
  ...DURABLE,
  taskQueue: CONTROL_QUEUE,
});
const source = proxyActivities<SourceActivities>({ ...DURABLE, taskQueue: WORK_QUEUE });
const steps = proxyActivities<StepActivities>(DURABLE);

export async function resolveSource(input: ResolveSourceInput): Promise<ResolveSourceResult> {
  const options = {
    activityId: revisionActivity(input.stepId),
    summary: `${input.stepId}: revision`,
  };
  return source.resolveSource.executeWithOptions(options, [input]);
}

export async function verifyHit(input: VerifyHitInput): Promise<CacheAnswer> {
  const options = {
    activityId: verificationActivity(input.stepId),
    summary: `${input.stepId}: verification`,
  };
  return cache.verifyHit.executeWithOptions(options, [input]);
}

export async function runStep(input: RunStepInput, taskQueue: string): Promise<RunStepResult> {
  const activity = steps[input.kind];
  if (activity === undefined) throw new Error(`internal: no proxy for step kind '${input.kind}'`);
  return activity.executeWithOptions(
    { taskQueue, activityId: input.stepId, summary: input.stepId },
    [input],
  );
}
