import { FAILURE_TYPES } from '../../plan/failures.ts';
import type { JsonObject, JsonValue } from '../../plan/json.ts';
import type { PlanStep } from '../../plan/plan.ts';
import type { PrepareRequest } from '../contract.ts';
import { declarationOf } from '../declaration.ts';
import { toFailure } from '../failures.ts';
import { upstreamRevision } from '../upstream.ts';
import { bindSecrets } from '../bound-inputs.ts';
import { Redactor } from '../redactor.ts';
import type { SecretSources } from '../secret-values.ts';
import { failing, unasked, type Foreseen } from './foreseen.ts';
import type { PreviewRequest } from './preview-request.ts';

type Asked =
  | { readonly ok: true; readonly upstream: JsonValue }
  | { readonly ok: false; readonly foreseen: Foreseen };

/** Asks the source of a step for its revision, as a run does; or what follows when it does not tell. */
export async function askRevision(
  { catalog, store, env, workRoot, signal, id = '' }: PreviewRequest,
  step: PlanStep,
  prepared: PrepareRequest,
): Promise<Asked> {
  const redactor = new Redactor();
  try {
    const run = { workflowId: id, executionRunId: '', stepId: step.id };
    const question = { store, env, workRoot, signal, run };
    const declaration = declarationOf(catalog, step);
    const bound = await boundHere(prepared, { env, redactor });
    if (bound === undefined) {
      return { ok: false, foreseen: unasked('its source wants a secret that is not set here') };
    }
    return { ok: true, upstream: await upstreamRevision(declaration, bound, question) };
  } catch (error) {
    const { type, message } = toFailure(redactor.error(error));
    const mayPass = FAILURE_TYPES[type].retryable;
    const foreseen = mayPass
      ? unasked(`its source could not be asked: ${message}`)
      : failing(message);
    return { ok: false, foreseen };
  }
}

/** A worker may have secrets that whoever plans has not. */
async function boundHere(
  prepared: PrepareRequest,
  sources: SecretSources,
): Promise<JsonObject | undefined> {
  if (prepared.secrets === undefined) return prepared.inputs;
  try {
    const { inputs } = await bindSecrets(prepared, sources);
    return inputs;
  } catch (error) {
    if (toFailure(error).type === 'InvalidInput') return undefined;
    throw error;
  }
}
