import { FAILURE_TYPES } from '../../plan/failures.ts';
import type { JsonValue } from '../../plan/json.ts';
import type { PlanStep } from '../../plan/plan.ts';
import type { PrepareRequest } from '../contract.ts';
import { declarationOf } from '../declaration.ts';
import { toFailure } from '../failures.ts';
import { upstreamRevision } from '../upstream.ts';
import { failing, unasked, type Foreseen } from './foreseen.ts';
import type { PreviewRequest } from './preview-request.ts';

type Asked =
  | { readonly ok: true; readonly upstream: JsonValue }
  | { readonly ok: false; readonly foreseen: Foreseen };

/** Asks the source of a step for its revision, as a run does; or what follows when it does not tell. */
export async function askRevision(
  { catalog, store, env, workRoot, signal, id = '' }: PreviewRequest,
  step: PlanStep,
  { inputs }: PrepareRequest,
): Promise<Asked> {
  try {
    const run = { workflowId: id, executionRunId: '', stepId: step.id };
    const question = { store, env, workRoot, signal, run };
    const declaration = declarationOf(catalog, step);
    return { ok: true, upstream: await upstreamRevision(declaration, inputs, question) };
  } catch (error) {
    const { type, message } = toFailure(error);
    const mayPass = FAILURE_TYPES[type].retryable;
    const foreseen = mayPass
      ? unasked(`its source could not be asked: ${message}`)
      : failing(message);
    return { ok: false, foreseen };
  }
}
