import {
  allHandlersFinished,
  ApplicationFailure,
  CancellationScope,
  condition,
  isCancellation,
  log,
  setHandler,
  TemporalFailure,
  workflowInfo,
} from '@temporalio/workflow';
import type { JsonObject } from '../plan/json.ts';
import type {
  CompileResult,
  PipelineSource,
  RunIdentity,
  SubmittedOptions,
} from '../activities/contract.ts';
import { evaluateTemplate } from '../plan/expressions.ts';
import { pauseNote } from '../plan/interventions.ts';
import type { Plan, RunState, StepError, StepState } from '../plan/plan.ts';
import { RunProgress } from '../plan/run-progress.ts';
import { hasEnded, orderedSteps } from '../plan/run-state.ts';
import { expressionContexts, type RunFacts } from '../plan/scheduling.ts';
import { control } from './activity-proxies.ts';
import { Alarm } from './alarm.ts';
import { stepFailure } from './failures.ts';
import { Interventions, type ParamsChange } from './interventions.ts';
import { stateQuery } from './messages.ts';
import { PauseMessages } from './pause-messages.ts';
import { StepExecutor } from './step-executor.ts';
import { Visibility } from './visibility.ts';

export interface PipelineResult {
  readonly name: string;
  readonly status: 'completed';
  readonly outputs: JsonObject;
}

/**
 * Runs one pipeline: compiles the YAML, runs every step whose needs are met, answers the query
 * `state`, and leaves a record in the store that outlives Temporal's retention.
 *
 * @param source YAML as bytes (`binary/plain`), as a JSON string, or as a JSON object
 * @param options `{ params?, from?, force?, source_name?, step_sources? }`, as JSON or as bytes of JSON
 */
export async function pipeline(
  source: PipelineSource,
  options: SubmittedOptions = null,
): Promise<PipelineResult> {
  const info = workflowInfo();
  const run: RunIdentity = { workflowId: info.workflowId, executionRunId: info.runId };
  const progress = new RunProgress();
  const visibility = new Visibility();
  setHandler(stateQuery, () => progress.state, {
    description: 'status, outputs and error of the run and of each step',
  });

  let submission: CompileResult | undefined;
  let executor: StepExecutor | undefined;
  const alarm = new Alarm();
  const messages = new PauseMessages({ run, progress, facts: runFacts });
  let recorded: Promise<unknown> = Promise.resolve();
  const interventions = new Interventions({ progress, executor: () => executor, setParams });

  try {
    // A run that is cancelled before it began has a record, too.
    const compiled = await CancellationScope.nonCancellable(() =>
      control.compilePipeline(source, options, run),
    );
    const { plan, options: accepted, visible } = compiled;
    progress.apply({ kind: 'planned', plan });
    visibility.planned(plan, visible);
    submission = { plan, options: accepted };
    executor = new StepExecutor({
      plan,
      run,
      facts: runFacts(plan),
      options: accepted,
      progress,
    });
    await runSteps(executor);
    return await finish(submission.plan);
  } catch (error) {
    // What ended the run is to be told, also where the store cannot take it.
    await CancellationScope.nonCancellable(() => recordEnd(error)).catch((reason: unknown) => {
      log.error('the end of the run could not be recorded', { error: stepFailure(reason).error });
    });
    if (error instanceof TemporalFailure && !isCancellation(error)) {
      throw pipelineFailure(stepFailure(error).error);
    }
    throw error;
  }

  /** Steps that end make others ready; each round starts all that are. */
  async function runSteps(steps: StepExecutor): Promise<void> {
    const changes = (): number =>
      progress.changes + interventions.changes + alarm.rings + messages.changes;
    const isOver = (): boolean => steps.isIdle() && allHandlersFinished();
    for (;;) {
      const seen = changes();
      steps.expirePauses(Date.now());
      if (interventions.mayStart) steps.startReady();
      else steps.endMatrices();
      if (submission !== undefined) messages.tell(submission.plan);
      showPause(!steps.isAnyRunning && !steps.isIdle());
      visibility.show(progress.state);
      if (isOver()) break;
      alarm.set(progress.nextPauseEnd());
      await condition(() => changes() !== seen || isOver());
      // The end of an update comes first in history, with interceptors, as those of traces, or without.
      await condition(allHandlersFinished);
    }
  }

  /** Says that the run waits for somebody, or does not any more. */
  function showPause(isPaused: boolean): void {
    const { status, note } = progress.state;
    if (!isPaused) {
      if (status === 'paused') progress.apply({ kind: 'resumed' });
      return;
    }
    const { problem } = messages;
    const unsent = problem === undefined ? '' : `; the message of it was not sent: ${problem}`;
    const reason = `${pauseNote(progress.state, progress.paused(), interventions.isHeld)}${unsent}`;
    if (status === 'paused' && note === reason) return;
    progress.apply({ kind: 'paused', note: reason });
    // Whoever asks while no worker is there is to hear of it; the next step records the end of it.
    recorded = control.recordRun({ run, state: progress.snapshot() }).catch((error: unknown) => {
      log.warn('the pause could not be recorded', { error: stepFailure(error).error });
    });
  }

  async function setParams(params: JsonObject): Promise<ParamsChange> {
    if (submission === undefined || executor === undefined) {
      throw new Error('internal: params are set before the run has begun');
    }
    // Both write the run's record.
    await recorded;
    const before = submission.plan.params;
    const { plan, options, changed, readers } = await control.changeParams(
      source,
      { ...submission.options },
      run,
      { params, before },
    );
    submission = { plan, options };
    visibility.replanned(plan);
    const note = `param changed: ${changed.join(', ')}`;
    return { steps: executor.replan(plan, { readers, note }), params: plan.params };
  }

  async function finish(plan: Plan): Promise<PipelineResult> {
    const failure = failureOf(progress.state);
    if (failure !== undefined) throw pipelineFailure(failure);
    const ids = plan.steps.map(({ id }) => id);
    const contexts = expressionContexts(plan, progress.state, runFacts(plan), ids);
    const outputs = evaluateOutputs(plan, contexts);
    progress.apply({ kind: 'ended', status: 'completed', outputs });
    visibility.show(progress.state);
    await control.recordRun({ run, state: progress.snapshot(), endedAt: Date.now() });
    return { name: progress.state.name, status: 'completed', outputs };
  }

  async function recordEnd(error: unknown): Promise<void> {
    if (isCancellation(error)) {
      // One with a matrix runs nothing itself.
      const running = ({ status, entries }: StepState): boolean =>
        status === 'running' && entries === undefined;
      await condition(() => !Object.values(progress.state.steps).some(running));
      const open = Object.entries(progress.state.steps).flatMap(([id, step]) =>
        hasEnded(step) ? [] : [id],
      );
      progress.apply(
        ...open.map((step) => ({ kind: 'step-cancelled', step, at: Date.now() }) as const),
        {
          kind: 'ended',
          status: 'cancelled',
        },
      );
    } else {
      progress.apply({ kind: 'ended', status: 'failed', error: stepFailure(error).error });
    }
    visibility.show(progress.state);
    await control.recordFailure({ run, state: progress.snapshot(), endedAt: Date.now() });
  }
}

function runFacts(plan: Plan): RunFacts {
  const info = workflowInfo();
  // A schedule writes the time it meant into this search attribute of Temporal's own.
  const scheduled = info.searchAttributes['TemporalScheduledStartTime']?.[0];
  return {
    id: info.workflowId,
    name: plan.name,
    attempt: info.attempt,
    scheduled_time: (scheduled instanceof Date ? scheduled : info.startTime).toISOString(),
  };
}

function evaluateOutputs(plan: Plan, contexts: JsonObject): JsonObject {
  try {
    return Object.fromEntries(
      Object.entries(plan.outputs).map(([name, template]) => [
        name,
        evaluateTemplate(template, contexts),
      ]),
    );
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw pipelineFailure({ type: 'InvalidInput', message: `outputs: ${message}` });
  }
}

function failureOf(state: RunState): StepError | undefined {
  const failed = orderedSteps(state).filter(
    // Of a matrix its entries tell.
    ([, { status, entries = [] }]) =>
      status === 'failed' && !entries.some((id) => state.steps[id]?.status === 'failed'),
  );
  const [first] = failed;
  if (first === undefined) return undefined;
  const messages = failed.map(([id, step]) => `step '${id}' failed: ${step.error?.message ?? ''}`);
  return { type: first[1].error?.type ?? 'Internal', message: messages.join('\n') };
}

/** What a person reads in Temporal's tools: the message, without the nesting and stacks below it. */
function pipelineFailure({ type, message }: StepError): ApplicationFailure {
  const failure = ApplicationFailure.create({ type, message, nonRetryable: true });
  failure.stack = '';
  return failure;
}
