import {
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  type WorkflowHandle,
} from '@temporalio/client';
import type {
  ApproveRequest,
  RetryRequest,
  SkipRequest,
  Verdict,
} from '../../plan/interventions.ts';
import type { JsonObject } from '../../plan/json.ts';
import {
  APPROVE_UPDATE,
  CONTROL_QUEUE,
  PAUSE_SIGNAL,
  RESUME_SIGNAL,
  RETRY_UPDATE,
  SET_PARAMS_UPDATE,
  SKIP_UPDATE,
} from '../../plan/names.ts';
import type { StepId } from '../../plan/plan.ts';
import { getRun } from '../../store/runs.ts';
import { CommandError } from '../command-error.ts';
import type { Connected } from '../connection.ts';
import { printJson, printLines } from '../output.ts';
import { unknownRun } from '../run-view.ts';
import { hasWorker, workerCommand } from '../task-queues.ts';
import { followSubmission } from './follow-submission.ts';
import { paramsOf } from './pipeline-file.ts';
import { withServer } from './session.ts';

interface InterventionFlags {
  /** Follows the run afterwards. */
  readonly follow?: boolean;
  readonly json?: boolean;
}

interface UpdateAnswer {
  readonly steps: readonly StepId[];
  readonly params?: JsonObject;
}

/** `retune retry ID [STEP]` */
export async function retry(
  id: string,
  step: StepId | undefined,
  flags: InterventionFlags,
): Promise<number> {
  const request: RetryRequest = step === undefined ? {} : { step };
  return intervene(id, flags, {
    act: (handle) => update(handle, RETRY_UPDATE, request),
    say: ({ steps }) => `tried again: ${steps.join(', ')}`,
  });
}

/** `retune skip ID STEP [--outputs JSON]` */
export async function skip(
  id: string,
  step: StepId,
  flags: InterventionFlags & { readonly outputs?: string },
): Promise<number> {
  const outputs = flags.outputs === undefined ? undefined : outputsOf(flags.outputs);
  const request: SkipRequest = { step, ...(outputs !== undefined && { outputs }) };
  return intervene(id, flags, {
    act: (handle) => update(handle, SKIP_UPDATE, request),
    say: () => (outputs === undefined ? `left out: ${step}` : `outputs given for: ${step}`),
  });
}

function outputsOf(text: string): JsonObject {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return value as JsonObject;
    }
  } catch {
    // Said below, as of any other text.
  }
  throw new CommandError(
    `--outputs is ${text}; expected a JSON map, such as '{"model": "sha256:..."}'`,
  );
}

interface ApproveFlags extends InterventionFlags {
  readonly reject?: boolean;
  readonly by: string;
  readonly comment?: string;
}

/** `retune approve ID STEP [--reject]` */
export async function approve(id: string, step: StepId, flags: ApproveFlags): Promise<number> {
  const { reject, by, comment = '' } = flags;
  const decision: Verdict = reject ? 'rejected' : 'approved';
  const request: ApproveRequest = { step, decision, by, comment };
  return intervene(id, flags, {
    act: (handle) => update(handle, APPROVE_UPDATE, request),
    say: () => `${decision}: ${step}`,
  });
}

/** `retune set-params ID -p NAME=VALUE` */
export async function setParams(
  id: string,
  flags: InterventionFlags & { readonly param?: readonly string[] },
): Promise<number> {
  return intervene(id, flags, {
    act: async (handle, { store }) => {
      const record = await getRun(store, id);
      if (record === undefined) throw unknownRun(id);
      const params = paramsOf(await store.getBlob(record.source), flags.param);
      if (params === undefined) throw new CommandError('nothing to change: give -p NAME=VALUE');
      return update(handle, SET_PARAMS_UPDATE, { params });
    },
    say: ({ steps }) =>
      steps.length === 0
        ? 'no step that has begun depends on what changed'
        : `runs again: ${steps.join(', ')}`,
  });
}

/** `retune pause ID` */
export async function pause(id: string, flags: InterventionFlags): Promise<number> {
  return intervene(id, flags, {
    act: async (handle) => {
      await handle.signal(PAUSE_SIGNAL);
      return { steps: [] };
    },
    say: () => `nothing new starts until 'retune resume ${id}'; what runs goes on to its end`,
  });
}

/** `retune resume ID` of a run that is open: ends a pause. @returns false when the run is not open */
export async function endPause({ client }: Connected, id: string): Promise<boolean> {
  const handle = client.workflow.getHandle(id);
  try {
    if ((await handle.describe()).status.name !== 'RUNNING') return false;
    await handle.signal(RESUME_SIGNAL);
    return true;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}

type Session = Parameters<Parameters<typeof withServer<number>>[0]>;

interface Intervention {
  act(handle: WorkflowHandle, session: { store: Session[1] }): Promise<UpdateAnswer>;
  say(answer: UpdateAnswer): string;
}

async function intervene(
  id: string,
  { follow, json = false }: InterventionFlags,
  { act, say }: Intervention,
): Promise<number> {
  return withServer(async (connected, store) => {
    const answer = await open(connected, id, (handle) => act(handle, { store }));
    if (json && !follow) printJson({ id, ...answer });
    else if (!json) printLines([`run ${id}: ${say(answer)}`]);
    return follow ? followSubmission(connected, store, id, { json }) : 0;
  });
}

/** @throws CommandError when the run has ended, is not known, or no worker is there to answer */
async function open<T>(
  connected: Connected,
  id: string,
  act: (handle: WorkflowHandle) => Promise<T>,
): Promise<T> {
  const handle = connected.client.workflow.getHandle(id);
  try {
    const { status } = await handle.describe();
    if (status.name !== 'RUNNING') {
      throw new CommandError(
        `run '${id}' has ended already (${status.name.toLowerCase()}): 'retune resume ${id}' submits it again`,
      );
    }
    if (!(await hasWorker(connected, CONTROL_QUEUE, 'workflow'))) {
      throw new CommandError(
        `no worker on ${CONTROL_QUEUE} answers for run '${id}': start one: ${workerCommand(CONTROL_QUEUE)}`,
      );
    }
    return await act(handle);
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) throw unknownRun(id);
    throw error;
  }
}

async function update(
  handle: WorkflowHandle,
  name: string,
  request: object,
): Promise<UpdateAnswer> {
  try {
    return await handle.executeUpdate<UpdateAnswer, [object]>(name, { args: [request] });
  } catch (error) {
    if (!(error instanceof WorkflowUpdateFailedError)) throw error;
    throw new CommandError(error.cause?.message ?? error.message, { cause: error });
  }
}
