import type { JsonObject, JsonValue } from '../plan/json.ts';
import type { RunRecord } from '../store/runs.ts';
import type { Store } from '../store/store.ts';

/** What `retune resume` submits: the run's own pipeline and options. @throws what the store throws */
export async function resumption(
  store: Store,
  record: RunRecord,
): Promise<{ readonly source: Uint8Array; readonly options: JsonValue }> {
  return { source: await store.getBlob(record.source), options: continuing(record) };
}

/**
 * Workers may have other step kinds by now. And what was asked to run again has run, once steps have
 * begun: a resumption does not start over.
 */
function continuing({ options, state }: RunRecord): JsonValue {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) return options;
  const { step_sources: _sources, ...asked } = options as JsonObject;
  if (Object.keys(state.steps).length === 0) return asked;
  const { force: _force, from: _from, ...rest } = asked;
  return rest;
}
