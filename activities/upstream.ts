import type { JsonObject, JsonValue } from '../plan/json.ts';
import type { Store } from '../store/store.ts';
import type { AnyStep } from './catalog.ts';
import type { RunIdentity } from './contract.ts';
import { parseInputs } from './declaration.ts';

/** Whoever asks: a run, or `retune plan`. */
export interface UpstreamQuestion {
  readonly store: Store;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly workRoot: string;
  readonly signal: AbortSignal;
  readonly run: RunIdentity & { readonly stepId: string };
}

/**
 * The revision that a source step's inputs name now, part of its fingerprint.
 *
 * @throws Failure what the source answers; InvalidInput when the inputs do not fit the kind
 */
export async function upstreamRevision(
  step: AnyStep,
  inputs: JsonObject,
  { store, env, workRoot, signal, run }: UpstreamQuestion,
): Promise<JsonValue> {
  if (step.resolve === undefined) throw new Error(`internal: ${step.kind} has no resolve`);
  const revision = await step.resolve(
    {
      ...{ store, env, signal, run },
      fingerprint: '',
      checkpointKey: '',
      upstream: null,
      temporaryDirectory: workRoot,
      progress: () => undefined,
      record: () => undefined,
      note: () => undefined,
    },
    parseInputs(step, inputs),
  );
  return revision as JsonValue;
}
