import { Context } from '@temporalio/activity';
import type { JsonValue } from '../plan/json.ts';
import type { ActivityDependencies } from './activities.ts';
import type { ResolveSourceInput, ResolveSourceResult } from './contract.ts';
import { declarationOf, parseInputs } from './declaration.ts';
import { toApplicationFailure, toFailure } from './failures.ts';
import type { StepContext } from './step-context.ts';

/** Asks upstream which revision a source step's inputs name now. */
export async function resolveSource(
  dependencies: ActivityDependencies,
  input: ResolveSourceInput,
): Promise<ResolveSourceResult> {
  const step = declarationOf(dependencies.catalog, input);
  if (step.resolve === undefined) throw new Error(`internal: ${step.kind} has no resolve`);
  const activity = Context.current();
  const beat = setInterval(() => activity.heartbeat(), 1_000);
  const context: StepContext = {
    store: dependencies.store,
    env: dependencies.env,
    signal: AbortSignal.any([activity.cancellationSignal, dependencies.shutdown]),
    run: { ...input.run, stepId: input.stepId },
    fingerprint: '',
    upstream: null,
    temporaryDirectory: dependencies.workRoot,
    progress: () => undefined,
    trainingStarted: () => Promise.resolve(),
    note: () => undefined,
  };
  try {
    const upstream = await step.resolve(context, parseInputs(step, input.inputs));
    return { upstream: upstream as JsonValue };
  } catch (error) {
    // A revision look-up leaves no attempt in the ledger: Temporal's own number counts.
    const reported = activity.info.attempt;
    throw toApplicationFailure(toFailure(error), {
      retry: input.retry,
      reported,
      attempt: reported,
    });
  } finally {
    clearInterval(beat);
  }
}
