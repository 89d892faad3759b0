import type { Context } from '@temporalio/activity';
import { ApplicationFailure, CancelledFailure, type MetricMeter } from '@temporalio/common';
import type { ActivityInterceptorsFactory } from '@temporalio/worker';
import type { Logger } from 'pino';
import type {
  ControlActivities,
  PrepareInput,
  PrepareResult,
  RunStepResult,
  SourceActivities,
} from '../../activities/contract.ts';
import { stepOfActivity } from '../../plan/names.ts';

/** Activities that are no step's own work. */
const NO_STEPS = {
  ...{ compilePipeline: true, changeParams: true, checkOutputs: true, recordRun: true },
  ...{ prepareSteps: true, verifyHit: true, resolveSource: true },
  ...{ prepareTrial: true, endSearch: true, pruneTrials: true },
} as const satisfies Record<keyof ControlActivities | keyof SourceActivities, true>;

export interface StepObserverOptions {
  readonly log: Logger;
  readonly meter: MetricMeter;
  /** Is told the type of a failure that an attempt ended with. */
  readonly onFailure?: (type: string) => void;
}

/** Says in the log and in the metrics how each attempt of a step ended. */
export function observeSteps(options: StepObserverOptions): ActivityInterceptorsFactory {
  const { meter } = options;
  const ends = meter.createCounter(
    'retune_step_attempts',
    undefined,
    'Attempts of steps that ended, by kind and outcome.',
  );
  const durations = meter.createHistogram(
    'retune_step_attempt_seconds',
    'float',
    's',
    'Time from the start to the end of an attempt.',
  );
  return ({ info }: Context) => ({
    inbound: {
      async execute(input, next) {
        const { activityType: kind } = info;
        if (kind === 'prepareSteps') {
          const result = (await next(input)) as PrepareResult;
          for (const hit of hits(input.args[0] as PrepareInput, result)) {
            ends.add(1, { kind: hit, outcome: 'cached' });
          }
          return result;
        }
        if (Object.hasOwn(NO_STEPS, kind)) return next(input);
        const startedAt = performance.now();
        const ended = (outcome: string): void => {
          const seconds = (performance.now() - startedAt) / 1000;
          ends.add(1, { kind, outcome });
          durations.record(seconds, { kind, outcome });
          const level = ['completed', 'cached'].includes(outcome) ? 'info' : 'warn';
          options.log[level]({ kind, outcome, seconds }, 'step ended');
        };
        options.log.info({ kind }, 'step starts');
        try {
          const result = (await next(input)) as RunStepResult;
          ended(result.cached ? 'cached' : 'completed');
          return result;
        } catch (error) {
          const outcome = outcomeOf(error);
          ended(outcome);
          options.onFailure?.(outcome);
          throw error;
        }
      },
    },
  });
}

function hits({ steps }: PrepareInput, result: PrepareResult): readonly string[] {
  const kinds = new Map(steps.map(({ stepId, kind }) => [stepId, kind]));
  return result.steps.flatMap(({ kind, stepId }) =>
    kind === 'hit' ? (kinds.get(stepId) ?? []) : [],
  );
}

/** The type of a failure, or that there was none. */
function outcomeOf(error: unknown): string {
  if (error instanceof CancelledFailure) return 'cancelled';
  return (error instanceof ApplicationFailure ? error.type : undefined) ?? 'Internal';
}

/** The run and the step that a line of the log is about. */
export function logFields({ info }: Pick<Context, 'info'>): Readonly<Record<string, unknown>> {
  const { workflowExecution, activityId, attempt } = info;
  return {
    run: workflowExecution?.workflowId,
    execution: workflowExecution?.runId,
    step: stepOfActivity(activityId),
    attempt,
  };
}
