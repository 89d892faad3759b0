import { sha256OfJson } from '../../store/canonical-json.ts';
import { recordedResult } from '../../store/cache.ts';
import { readAttempts, type AttemptRecord } from '../../store/ledger.ts';
import { listRuns, type RunRecord } from '../../store/runs.ts';
import type { Store } from '../../store/store.ts';
import type { JsonObject } from '../../plan/json.ts';
import type { StepId, StepState } from '../../plan/plan.ts';
import type { AnyStep } from '../catalog.ts';
import { parseInputs } from '../declaration.ts';

/** How many runs are looked through for a step that the newest did not reach, and for times. */
const MAX_RUNS = 20;

/** A step as an earlier run had it. */
export interface EarlierStep {
  readonly run: RunRecord;
  /** How it went. */
  readonly state: StepState | undefined;
  readonly fingerprint: string;
  /** What the fingerprint is of. */
  readonly parts: JsonObject;
}

/** The runs of a pipeline that the store remembers, the newest first. */
export class EarlierRuns {
  readonly runs: readonly RunRecord[];
  readonly #store: Store;
  readonly #catalog: readonly AnyStep[];
  readonly #attempts = new Map<string, Promise<readonly AttemptRecord[]>>();

  private constructor(store: Store, catalog: readonly AnyStep[], runs: readonly RunRecord[]) {
    this.#store = store;
    this.#catalog = catalog;
    this.runs = runs;
  }

  /** @param since the only run to look at; without it all of the pipeline `name` */
  static async load(
    store: Store,
    catalog: readonly AnyStep[],
    name: string,
    since?: RunRecord,
  ): Promise<EarlierRuns> {
    const all = since === undefined ? await listRuns(store) : [since];
    const runs = since === undefined ? all.filter((run) => run.name === name) : all;
    return new EarlierRuns(store, catalog, runs.slice(0, MAX_RUNS));
  }

  get newest(): RunRecord | undefined {
    return this.runs[0];
  }

  /** The step in the newest run that got to it. */
  async step(id: StepId): Promise<EarlierStep | undefined> {
    for (const run of this.runs) {
      const state = run.state.steps[id];
      const parts = run.parts?.[id] ?? (await this.#partsOfResult(state));
      if (parts === undefined) continue;
      const { ignored: _, ...hashed } = parts;
      const fingerprint = run.parts?.[id] === undefined ? state?.fingerprint : sha256OfJson(hashed);
      return { run, state, fingerprint: fingerprint ?? '', parts };
    }
    return undefined;
  }

  /** Every attempt of a run's steps. */
  attempts({ id }: RunRecord): Promise<readonly AttemptRecord[]> {
    const known = this.#attempts.get(id) ?? readAttempts(this.#store, { workflowId: id });
    this.#attempts.set(id, known);
    return known;
  }

  /** A record without parts is of an older build: what is known of them is in the cache. */
  async #partsOfResult(state: StepState | undefined): Promise<JsonObject | undefined> {
    if (state?.fingerprint === undefined) return undefined;
    const entry = await recordedResult(this.#store, state.fingerprint);
    if (entry === undefined) return undefined;
    const [kind = '', version = ''] = entry.kind.split('@');
    const { upstream } = entry;
    const inputs = this.#withDefaults(kind, Number(version), entry.inputs);
    return { kind, version: Number(version), inputs, ...(upstream !== undefined && { upstream }) };
  }

  #withDefaults(kind: string, version: number, inputs: JsonObject): JsonObject {
    const step = this.#catalog.find((known) => known.kind === kind && known.version === version);
    try {
      return step === undefined ? inputs : parseInputs(step, inputs);
    } catch {
      // The kind has changed since.
      return inputs;
    }
  }
}
