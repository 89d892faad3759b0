import type { JsonObject } from '../plan/json.ts';
import type { StepId } from '../plan/plan.ts';
import type { ActivityDependencies } from './activities.ts';
import type { PrepareInput, PrepareResult } from './contract.ts';
import { controlFailure } from './failures.ts';
import { recordRun } from './record-run.ts';
import { prepareStep } from './step-preparation.ts';
import { warnOfDamage } from './verify-hit.ts';

/** So many bytes of results are verified in passing; `verifyHit` does the others. */
const BYTES_A_CALL = 64 * 2 ** 20;

/** Fingerprints of steps about to start, and what the cache holds for them. */
export async function prepareSteps(
  dependencies: ActivityDependencies,
  input: PrepareInput,
): Promise<PrepareResult> {
  try {
    const { run, state } = input;
    const budget = { bytes: BYTES_A_CALL };
    const prepared = await Promise.all(
      input.steps.map((step) => prepareStep(dependencies, step, budget)),
    );
    const parts: Record<StepId, JsonObject> = {};
    for (const { answer, parts: found } of prepared) {
      warnOfDamage(answer);
      if (found !== undefined) parts[answer.stepId] = { ...found };
    }
    await recordRun(dependencies, { run, state }, parts);
    return { steps: prepared.map(({ answer }) => answer) };
  } catch (error) {
    throw controlFailure(error);
  }
}
