import type { JsonObject, JsonValue } from './json.ts';
import type { SearchStrategy } from './search/strategy.ts';

export type StepId = string;
/** `sha256:` and 64 hexadecimal digits: the address of an artifact's manifest. */
export type ArtifactDigest = `sha256:${string}`;

export type StepEffect = 'pure' | 'source' | 'external';
export type StepRole = 'work' | 'train';

export interface RetryPolicy {
  /** Failures that the step itself reports; attempts lost with their worker are not counted. */
  readonly maxAttempts: number;
  readonly backoffMs: number;
  readonly maxBackoffMs: number;
}

/** What may stand for a step's own work; without one every result of its fingerprint does. */
export interface CachePolicy {
  /** With false no result does, and the step's own replaces what there was. */
  readonly enabled: boolean;
  /** An older result does not, and is replaced by the step's own. */
  readonly maxAgeMs?: number;
  /** Places in `with` that are no part of the fingerprint. */
  readonly ignore?: readonly (readonly string[])[];
}

/** What a submission says beside the pipeline: the second argument of the workflow. */
export interface SubmissionOptions {
  readonly params?: JsonObject;
  /** This step and what depends on it run again. */
  readonly from?: StepId;
  /** Every step runs again. */
  readonly force?: boolean;
  /** The file's name in diagnostics. */
  readonly source_name?: string;
  /** Digests of the code that the submitter has of kinds of its own, as `{ "KIND@VERSION": DIGEST }`. */
  readonly step_sources?: Readonly<Record<string, string>>;
}

/**
 * A JSON value whose strings may hold `${{ }}` expressions. A string that is one whole expression
 * evaluates to the expression's value and type; expressions inside longer text are put in as text.
 */
export type Template = JsonValue;

/** Runs a step once for every combination of its dimensions' values. */
export interface MatrixStrategy {
  /** Each a list, or an expression that gives one. */
  readonly matrix: { readonly [dimension: string]: Template };
  /** A list of maps: values to add to entries that agree with them, or else entries of their own. */
  readonly include?: Template;
  /** A list of maps: entries that have all these values are left out. */
  readonly exclude?: Template;
  /** Entries that run at once, within the run's own limit. */
  readonly maxParallel?: number;
  /** The first failure cancels the other entries. */
  readonly failFast: boolean;
}

export interface PlanStep {
  readonly id: StepId;
  /** `train`, of `uses: train@1`. */
  readonly kind: string;
  readonly version: number;
  /** Code revision of the kind at the time of compiling. */
  readonly revision: number;
  /** Of a kind of a user's own: digest of its code at the time of compiling. */
  readonly source?: string;
  readonly effect: StepEffect;
  readonly role: StepRole;
  /** Every step that must end first: those in `${{ steps.X }}` and those in `needs`. */
  readonly needs: readonly StepId[];
  readonly with: { readonly [key: string]: Template };
  readonly strategy?: MatrixStrategy;
  readonly search?: SearchStrategy;
  /** Expression text without `${{ }}`, or undefined: run when every need completed. */
  readonly if?: string;
  /** Worker label, after evaluation (role `train`). */
  readonly runsOn: Template;
  readonly retry: RetryPolicy;
  /** Limit of one attempt. */
  readonly timeoutMs?: number;
  /** Instead of failing it pauses, and waits so long for somebody before it has failed after all. */
  readonly pauseTimeoutMs?: number;
  readonly cache?: CachePolicy;
  readonly description?: string;
}

/** What a workflow runs: a checked pipeline with its params resolved. JSON only. */
export interface Plan {
  readonly name: string;
  readonly description?: string;
  readonly params: JsonObject;
  readonly env: JsonObject;
  readonly maxParallel: number;
  /** In the file's order. */
  readonly steps: readonly PlanStep[];
  readonly outputs: { readonly [name: string]: Template };
  /** Sends a message each time that a step pauses; its `body` is the run's to add. */
  readonly onPause?: PlanStep;
}

export type StepStatus =
  'pending' | 'running' | 'cached' | 'completed' | 'failed' | 'skipped' | 'paused' | 'cancelled';

export type RunStatus = 'running' | 'paused' | 'completed' | 'failed' | 'cancelled';

export interface StepError {
  readonly type: string;
  readonly message: string;
}

export interface StepState {
  readonly status: StepStatus;
  /** Attempt now running or last run, from 1; 0 when the step never ran. */
  readonly attempt: number;
  readonly fingerprint?: string;
  readonly outputs?: JsonObject;
  readonly error?: StepError;
  /** Milliseconds since the epoch, by the workflow's clock. */
  readonly startedAt?: number;
  readonly endedAt?: number;
  /** What a person should know of it: `waiting: no worker on QUEUE`, why it was skipped. */
  readonly note?: string;
  /** While it is paused: when it stops waiting for somebody. */
  readonly pausedUntil?: number;
  /** While it waits for a decision: what it asks. */
  readonly question?: string;
  /** Attempts before somebody asked for another try: `max_attempts` counts those after them. */
  readonly retriedAfter?: number;
  /** Of a step with a matrix, once it has begun: its entries, steps of this state themselves. */
  readonly entries?: readonly StepId[];
  /** Of an entry: its values. */
  readonly matrix?: JsonObject;
}

/** What the query `state` and `retune show --json` answer. */
export interface RunState {
  readonly name: string;
  readonly status: RunStatus;
  readonly steps: { readonly [id: StepId]: StepState };
  /** The steps that train a model, when there are any. */
  readonly trainings?: readonly StepId[];
  readonly outputs: JsonObject;
  readonly error?: StepError;
  /** While it is paused: for what it waits. */
  readonly note?: string;
}
