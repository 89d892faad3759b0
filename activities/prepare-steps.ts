import type { JsonObject } from '../plan/json.ts';
import type { StepId } from '../plan/plan.ts';
import type { ActivityDependencies } from './activities.ts';
import type {
  PreparedStep,
  PrepareInput,
  PrepareRequest,
  PrepareResult,
  RunIdentity,
} from './contract.ts';
import { declarationOf } from './declaration.ts';
import { controlFailure } from './failures.ts';
import { recordRun } from './record-run.ts';
import { type Preparation, prepareStep } from './step-preparation.ts';
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
    const questions = input.steps.map((step, index) =>
      withQuestion(dependencies, run, step, prepared[index]),
    );
    return { steps: await Promise.all(questions) };
  } catch (error) {
    throw controlFailure(error);
  }
}

/** Where the step is not in the cache and its kind has to ask a person first: with the question. */
async function withQuestion(
  { store, catalog }: ActivityDependencies,
  run: RunIdentity,
  request: PrepareRequest,
  prepared: Preparation | undefined,
): Promise<PreparedStep> {
  if (prepared === undefined) throw new Error('internal: a step was not prepared');
  const { answer, parts } = prepared;
  if (answer.kind !== 'miss' || parts === undefined) return answer;
  const { stepId, fingerprint } = answer;
  const { force } = request;
  const context = { store, run: { ...run, stepId }, fingerprint, force };
  const question = await declarationOf(catalog, request).asks?.(context, parts.inputs);
  return question === undefined ? answer : { kind: 'question', stepId, fingerprint, question };
}
