import type { Decision } from '../plan/interventions.ts';
import type { JsonObject, JsonValue } from '../plan/json.ts';
import type { RunIdentity } from './contract.ts';
import type { AttemptProgress } from '../store/ledger.ts';
import type { Store } from '../store/store.ts';

/** How far a training came in one attempt. */
export type TrainingRecord = Pick<
  AttemptProgress,
  'resumedFromStep' | 'firstOptimizerStep' | 'lastOptimizerStep'
>;

/** What a step's `run` may use: the store, its environment, and ways to report. */
export interface StepContext {
  readonly store: Store;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborts on cancellation and on shutdown; `reason` is the Failure to end with. */
  readonly signal: AbortSignal;
  readonly run: RunIdentity & { readonly stepId: string };
  readonly fingerprint: string;
  /** What `resolve` answered for this run (effect source). */
  readonly upstream: JsonValue;
  /** The answer to what the step asked. */
  readonly decision?: Decision;
  /** A folder of this attempt alone, removed when it ends. */
  readonly temporaryDirectory: string;
  /** Live details, shown while the step runs: step, loss, learning rate, tokens/s, ETA. */
  progress(details: JsonObject): void;
  /** Adds to the ledger's entry of this attempt. */
  record(progress: TrainingRecord): void;
  /** A sentence shown beside the step's result, after those before. */
  note(text: string): void;
}

/** What a kind knows when it decides whether a person is to be asked. */
export interface AskContext {
  readonly store: Store;
  readonly run: RunIdentity & { readonly stepId: string };
  readonly fingerprint: string;
  /** The step is to run again whatever was there before. */
  readonly force: boolean;
}
