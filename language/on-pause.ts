import type { Catalog } from './catalog.ts';
import { findKind } from './catalog.ts';
import { readMap } from './checks/value-type.ts';
import { DEFAULT_ON_FAILURE, DEFAULT_PAUSE_TIMEOUT_MS, DEFAULT_RETRY } from './defaults.ts';
import type { LocatedEntry } from './located.ts';
import type { Step } from './pipeline.ts';
import type { Reporter } from './reporter.ts';

/**
 * `on: { pause: { url, secret } }`, as a step of notify@1 whose body the run adds.
 *
 * @param on the key `on`, whose own shape readSchedules has checked
 */
export function readOnPause(
  on: LocatedEntry | undefined,
  catalog: Catalog,
  reporter: Reporter,
): Step | undefined {
  const entry = on?.value.kind === 'map' ? on.value.entries.get('pause') : undefined;
  const map = readMap(entry, "a map such as { url: '${{ secrets.WEBHOOK_URL }}' }", reporter);
  if (entry === undefined || map === undefined) return undefined;
  const found = findKind(catalog, 'notify', 1);
  if (found.kind !== 'found') {
    reporter.error('uses', entry.keyRange, "'on.pause' needs the step kind notify@1");
    return undefined;
  }
  const { signature } = found;
  const range = entry.keyRange;
  return {
    ...{ id: 'on.pause', idRange: range, usesRange: range, withRange: range, hasBadWith: false },
    signature: { ...signature, with: signature.with.omit({ body: true }) },
    ...{ with: map, needs: [], retry: DEFAULT_RETRY },
    ...{ onFailure: DEFAULT_ON_FAILURE, pauseTimeoutMs: DEFAULT_PAUSE_TIMEOUT_MS },
  };
}
