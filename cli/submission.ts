import {
  WorkflowExecutionAlreadyStartedError,
  WorkflowIdConflictPolicy,
  WorkflowIdReusePolicy,
  WorkflowNotFoundError,
} from '@temporalio/client';
import type { JsonValue } from '../plan/json.ts';
import { CONTROL_QUEUE, PIPELINE_WORKFLOW, trainQueue, WORK_QUEUE } from '../plan/names.ts';
import { evaluateTemplate, references } from '../plan/expressions.ts';
import type { Plan, Template } from '../plan/plan.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import { CommandError } from './command-error.ts';
import type { Connected } from './connection.ts';
import { hasWorker, workerCommand } from './task-queues.ts';

/** A worker that is just starting may take this long to poll. */
const WORKER_START_MS = 5_000;

export interface Submission {
  readonly id: string;
  readonly source: Uint8Array | string | object;
  /** @see SubmissionOptions */
  readonly options: JsonValue;
}

/**
 * Starts the run as the Temporal CLI would; an id whose run has ended is a new submission of it.
 *
 * @throws CommandError when a run with the id is still running
 */
export async function submit(
  { client }: Connected,
  { id, source, options }: Submission,
): Promise<void> {
  try {
    await client.workflow.start(PIPELINE_WORKFLOW, {
      taskQueue: CONTROL_QUEUE,
      workflowId: id,
      args: [source, options],
      workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
      workflowIdConflictPolicy: WorkflowIdConflictPolicy.FAIL,
    });
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    throw new CommandError(
      `a run with id '${id}' is running already: watch it with 'retune show ${id}', ` +
        `stop it with 'retune cancel ${id}', or choose another --id`,
      { cause: error },
    );
  }
}

/** Whether a run with the id is open. */
export async function isRunning({ client }: Connected, id: string): Promise<boolean> {
  try {
    const { status } = await client.workflow.getHandle(id).describe();
    return status.name === 'RUNNING';
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}

/** Queues that the plan needs, with what polls them; labels known at run time only are left out. */
function queuesOf(plan: Plan): readonly { queue: string; type: 'workflow' | 'activity' }[] {
  const queues = new Set<string>();
  for (const { role, runsOn } of plan.steps) {
    const label = role === 'train' ? knownLabel(runsOn, plan) : undefined;
    if (role === 'work') queues.add(WORK_QUEUE);
    else if (label !== undefined) queues.add(trainQueue(label));
  }
  return [
    { queue: CONTROL_QUEUE, type: 'workflow' },
    ...[...queues].map((queue) => ({ queue, type: 'activity' as const })),
  ];
}

/** The worker label of a step, when its expressions read nothing but what the submission says. */
function knownLabel(runsOn: Template, { params, env }: Plan): string | undefined {
  const isKnown = references(runsOn).every(
    ({ context }) => context === 'params' || context === 'env',
  );
  const label = isKnown ? evaluateTemplate(runsOn, { params, env }) : undefined;
  return typeof label === 'string' ? label : undefined;
}

/**
 * Waits shortly for a worker on every queue of the plan.
 *
 * @throws CommandError that names the queues without one and the commands that start them
 */
export async function requireWorkers(connected: Connected, plan: Plan): Promise<void> {
  const deadline = Date.now() + WORKER_START_MS;
  for (;;) {
    const missing: string[] = [];
    for (const { queue, type } of queuesOf(plan)) {
      if (!(await hasWorker(connected, queue, type))) missing.push(queue);
    }
    if (missing.length === 0) return;
    if (Date.now() > deadline) throw noWorkers(missing);
    await sleep(250);
  }
}

function noWorkers(queues: readonly string[]): CommandError {
  const commands = [...new Set(queues.map(workerCommand))].map((command) => `  ${command}`);
  return new CommandError(
    `no worker on ${queues.join(', ')}: nothing was submitted; start a worker, then try again:\n` +
      `${commands.join('\n')}\nor submit without waiting: --detach`,
  );
}
