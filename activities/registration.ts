import { lineage } from '../store/lineage.ts';
import type { Comparison } from '../store/promotion.ts';
import { register, type Registration, type RegistrationResult } from '../store/registry.ts';
import { challengeOf } from './promotion.ts';
import type { RegisterInputs } from './register.ts';
import type { StepContext } from './step-context.ts';

interface RegisterOutputs {
  readonly version: number;
  readonly aliases: string[];
  readonly url: string;
  readonly promoted: boolean;
  readonly comparison: Comparison | null;
}

/** Registers a model, and moves its alias where that is wanted. */
export async function registerModel(
  context: StepContext,
  inputs: RegisterInputs,
): Promise<RegisterOutputs> {
  const { store, run } = context;
  const { model, name, evaluation, alias } = inputs;
  const result = await register(store, {
    run: run.workflowId,
    execution: run.executionRunId,
    step: run.stepId,
    ...{ name, model },
    lineage: await lineage(store, model),
    promote: await promotionOf(context, inputs),
    ...(evaluation !== undefined && { evaluation }),
    ...(alias !== undefined && { alias }),
  });
  context.note(noteOf(result));
  const { version, aliases, promoted, decision } = result;
  return {
    ...{ version, aliases: [...aliases], url: `registry:${name}@${version}`, promoted },
    comparison: decision?.comparison ?? null,
  };
}

async function promotionOf(
  { store }: StepContext,
  { model, evaluation, alias, promote, metric = 'loss', min_gain: minGain = 0 }: RegisterInputs,
): Promise<Registration['promote']> {
  if (promote !== 'if_better') return promote;
  if (evaluation === undefined || alias === undefined) {
    throw new Error('internal: if_better without an evaluation or an alias');
  }
  return challengeOf(store, { model, evaluation, alias, metric, minGain });
}

function noteOf({ existing, version, promoted, decision }: RegistrationResult): string {
  const registered = existing
    ? `the same model was registered before, as v${version}`
    : `registered as v${version}`;
  if (decision === undefined) return registered;
  return `${registered}; ${promoted ? 'promoted' : 'not promoted'}: ${decision.reason}`;
}
