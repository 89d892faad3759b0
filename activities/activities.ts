import type { Store } from '../store/store.ts';
import type { AnyStep } from './catalog.ts';
import { compilePipeline } from './compile-pipeline.ts';
import type { ControlActivities, SourceActivities, StepActivities } from './contract.ts';
import { prepareSteps } from './prepare-steps.ts';
import { recordRun } from './record-run.ts';
import { resolveSource } from './resolve-source.ts';
import { runStep } from './run-step.ts';
import { verifyHit } from './verify-hit.ts';

export interface ActivityDependencies {
  readonly store: Store;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Folder of what attempts write before it is in the store. */
  readonly workRoot: string;
  /** Aborts when the worker was told to stop. */
  readonly shutdown: AbortSignal;
  readonly catalog: readonly AnyStep[];
}

export interface Activities {
  readonly control: ControlActivities;
  readonly work: SourceActivities & StepActivities;
  readonly train: StepActivities;
}

/** The activities of each queue, bound to what they need. */
export function createActivities(dependencies: ActivityDependencies): Activities {
  const run: StepActivities[string] = (input) => runStep(dependencies, input);
  const steps = (role: AnyStep['role']): StepActivities => ({
    ...Object.fromEntries(
      dependencies.catalog.filter((step) => step.role === role).map((step) => [step.kind, run]),
    ),
    // Whatever this worker does not have: a kind of a user's own, whose file others were started with.
    default: run,
  });
  return {
    control: {
      compilePipeline: (source, options, run) =>
        compilePipeline(dependencies, source, options, run),
      prepareSteps: (input) => prepareSteps(dependencies, input),
      verifyHit: (input) => verifyHit(dependencies, input),
      recordRun: (input) => recordRun(dependencies, input),
    },
    work: {
      ...steps('work'),
      resolveSource: (input) => resolveSource(dependencies, input),
    } as Activities['work'],
    train: steps('train'),
  };
}
