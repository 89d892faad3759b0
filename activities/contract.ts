/** What workflows and activities say to each other. Types only, no Node. */
import type { JsonObject, JsonValue } from '../plan/json.ts';
import type { Decision, Question } from '../plan/interventions.ts';
import type { Plan, RetryPolicy, RunState, StepId, SubmissionOptions } from '../plan/plan.ts';
import type { StepRequest } from '../plan/scheduling.ts';

/** As the Temporal client hands it over: bytes of YAML, YAML as a string, or an object. */
export type PipelineSource = Uint8Array | string | JsonObject;

/** The second argument as it arrives: JSON as bytes, as a string, or as an object. */
export type SubmittedOptions = Uint8Array | string | JsonObject | null;

export interface RunIdentity {
  readonly workflowId: string;
  readonly executionRunId: string;
}

export interface CompileResult {
  readonly plan: Plan;
  readonly options: SubmissionOptions;
}

export interface PrepareRequest extends StepRequest {
  /** What `resolveSource` answered, for kinds of effect source. */
  readonly upstream?: JsonValue;
}
export interface PrepareInput {
  readonly run: RunIdentity;
  readonly steps: readonly PrepareRequest[];
  /** How the run stands: the store keeps it for when no worker can be asked. */
  readonly state: RunState;
}
/** What the cache holds for a fingerprint, after every byte of it was verified. */
export type CacheAnswer =
  | {
      readonly kind: 'hit';
      readonly stepId: StepId;
      readonly fingerprint: string;
      readonly outputs: JsonObject;
    }
  | {
      readonly kind: 'miss';
      readonly stepId: StepId;
      readonly fingerprint: string;
      /** There was a result, and this is wrong with it. */
      readonly damage?: string;
      /** There is a result, and so long ago was it made: longer than the step's `max_age`. */
      readonly ageMs?: number;
    };
/** What the cache says of a step about to start. */
export type CacheState =
  | CacheAnswer
  /** There is a result, too large to be verified in passing: `verifyHit` does. */
  | { readonly kind: 'unverified'; readonly stepId: StepId; readonly fingerprint: string }
  | {
      readonly kind: 'invalid';
      readonly stepId: StepId;
      readonly error: { readonly type: string; readonly message: string };
    };
export type PreparedStep =
  | CacheState
  /** Nothing runs before somebody has decided. */
  | {
      readonly kind: 'question';
      readonly stepId: StepId;
      readonly fingerprint: string;
      readonly question: Question;
    };
export interface PrepareResult {
  readonly steps: readonly PreparedStep[];
}

export interface VerifyHitInput {
  readonly stepId: StepId;
  readonly fingerprint: string;
}

export interface ResolveSourceInput extends Omit<StepRequest, 'label' | 'force' | 'cache'> {
  readonly run: RunIdentity;
  readonly retry: RetryPolicy;
  /** @see RunStepInput.countedAfter */
  readonly countedAfter?: number;
}
export interface ResolveSourceResult {
  readonly upstream: JsonValue;
}

/** In the details of a failure: what the workflow needs beyond type and message. */
export interface FailureDetails {
  readonly attempt: number;
  /** Failure CorruptArtifact or NotFound: the artifact whose producer must run again. */
  readonly artifact?: string;
}

/** Input of the activity of every step kind; its type is the kind's name. */
export interface RunStepInput extends PrepareRequest {
  readonly run: RunIdentity;
  readonly fingerprint: string;
  readonly retry: RetryPolicy;
  /** Limit of one attempt. */
  readonly timeoutMs?: number;
  /** `max_attempts` counts attempts after this one: somebody asked for another try. */
  readonly countedAfter?: number;
  /** The answer to what the step asked. */
  readonly decision?: Decision;
}
export interface RunStepResult {
  readonly outputs: JsonObject;
  /** Number of the attempt that ended it, from 1. */
  readonly attempt: number;
  /** A sentence worth showing, such as that the model was registered before. */
  readonly note?: string;
  /** Another worker had published the result meanwhile. */
  readonly cached?: boolean;
}

export interface RecordRunInput {
  readonly run: RunIdentity;
  readonly state: RunState;
  readonly endedAt?: number;
}

/** Other params for a run that is paused. */
export interface ChangeParamsInput {
  readonly params: JsonObject;
  /** The values that the run has now. */
  readonly before: JsonObject;
}
export interface ChangeParamsResult extends CompileResult {
  /** Params whose values are others. */
  readonly changed: readonly string[];
  /** Steps that read one of them. */
  readonly readers: readonly StepId[];
}

/** Outputs that a person gives for a step that is skipped. */
export interface CheckOutputsInput {
  readonly stepId: StepId;
  readonly kind: string;
  readonly version: number;
  readonly revision: number;
  readonly source?: string;
  readonly outputs: JsonObject;
}

export interface ControlActivities {
  /** Three arguments, not one object: only an argument of its own may be bytes. */
  compilePipeline(
    source: PipelineSource,
    options: SubmittedOptions,
    run: RunIdentity,
  ): Promise<CompileResult>;
  /** As `compilePipeline`, of a run that goes on. */
  changeParams(
    source: PipelineSource,
    options: SubmittedOptions,
    run: RunIdentity,
    change: ChangeParamsInput,
  ): Promise<ChangeParamsResult>;
  checkOutputs(input: CheckOutputsInput): Promise<void>;
  prepareSteps(input: PrepareInput): Promise<PrepareResult>;
  verifyHit(input: VerifyHitInput): Promise<CacheAnswer>;
  recordRun(input: RecordRunInput): Promise<void>;
}
export interface SourceActivities {
  resolveSource(input: ResolveSourceInput): Promise<ResolveSourceResult>;
}
export type StepActivities = Record<string, (input: RunStepInput) => Promise<RunStepResult>>;
