import {
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
import type { PipelineSource, RunIdentity, SubmittedOptions } from '../activities/contract.ts';
import { evaluateTemplate } from '../plan/expressions.ts';
import type { Plan, RunState, StepError, StepState } from '../plan/plan.ts';
import { RunProgress } from '../plan/run-progress.ts';
import { hasEnded, orderedSteps } from '../plan/run-state.ts';
import { expressionContexts, type RunFacts } from '../plan/scheduling.ts';
import { control } from './activity-proxies.ts';
import { stepFailure } from './failures.ts';
import { stateQuery } from './messages.ts';
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

  try {
    // A run that is cancelled before it began has a record, too.
    const { plan, visible, ...compiled } = await CancellationScope.nonCancellable(() =>
      control.compilePipeline(source, options, run),
    );
    progress.apply({ kind: 'planned', plan });
    visibility.planned(plan, visible);
    const executor = new StepExecutor({
      plan,
      run,
      facts: runFacts(plan),
      options: compiled.options,
      progress,
    });
    // Steps that end make others ready; each round starts all that are.
    for (;;) {
      const seen = progress.changes;
      executor.startReady();
      visibility.show(progress.state);
      if (executor.isIdle()) break;
      await condition(() => progress.changes !== seen);
    }
    return await finish(plan);
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
