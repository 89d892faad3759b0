import { Leases } from '../store/leases.ts';
import type { Store } from '../store/store.ts';
import type { AnyStep } from './catalog.ts';
import { changeParams } from './change-params.ts';
import { checkOutputs } from './check-outputs.ts';
import { compilePipeline } from './compile-pipeline.ts';
import type {
  ControlActivities,
  RunStepInput,
  SourceActivities,
  StepActivities,
} from './contract.ts';
import { prepareSteps } from './prepare-steps.ts';
import { recordRun } from './record-run.ts';
import type { Redactor } from './redactor.ts';
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
  /** Knows every secret that this process has read. */
  readonly redactor: Redactor;
}

export interface Activities {
  readonly control: ControlActivities;
  readonly work: SourceActivities & StepActivities;
  readonly train: StepActivities;
}

/** The activities of each queue, bound to what they need. No error leaves one with a secret in it. */
export function createActivities(dependencies: ActivityDependencies): Activities {
  const bind =
    <A extends readonly unknown[], R>(
      activity: (dependencies: ActivityDependencies, ...args: A) => Promise<R>,
    ) =>
    (...args: A): Promise<R> =>
      activity(dependencies, ...args).catch((error: unknown) => {
        throw dependencies.redactor.error(error);
      });
  const leases = new Leases(dependencies.store);
  const run = bind((_, input: RunStepInput) => runStep({ ...dependencies, leases }, input));
  const steps = (role: AnyStep['role']): StepActivities => ({
    ...Object.fromEntries(
      dependencies.catalog.filter((step) => step.role === role).map((step) => [step.kind, run]),
    ),
    // Whatever this worker does not have: a kind of a user's own, whose file others were started with.
    default: run,
  });
  return {
    control: {
      compilePipeline: bind(compilePipeline),
      changeParams: bind(changeParams),
      checkOutputs: bind(checkOutputs),
      prepareSteps: bind(prepareSteps),
      verifyHit: bind(verifyHit),
      recordRun: bind(recordRun),
    },
    work: { ...steps('work'), resolveSource: bind(resolveSource) } as Activities['work'],
    train: steps('train'),
  };
}
