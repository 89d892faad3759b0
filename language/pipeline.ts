import type { JsonObject, JsonValue } from '../plan/json.ts';
import type { CachePolicy, RetryPolicy, StepId } from '../plan/plan.ts';
import type { SearchStrategy } from '../plan/search/strategy.ts';
import type { LocatedParam } from './checks/param-value.ts';
import type { ON_FAILURE, OVERLAPS } from './grammar.ts';
import type { LocatedEntry, LocatedMap, LocatedScalar } from './located.ts';
import type { Range } from './source-text.ts';
import type { StepSignature } from './step-declaration.ts';
import type { LocatedExpression } from './template.ts';

/** A pipeline as its file says it, with places; the rules that look across it read this. */
export interface Pipeline {
  readonly root: LocatedMap;
  readonly name: string;
  readonly description?: string;
  readonly params: ReadonlyMap<string, LocatedParam>;
  /** Given or default; a param that could not be read, or has no value yet, is not here. */
  readonly paramValues: ReadonlyMap<string, JsonValue>;
  readonly env: JsonObject;
  readonly defaults: StepDefaults;
  readonly steps: ReadonlyMap<StepId, Step>;
  readonly outputs?: LocatedMap;
  /** Those in which nothing is wrong, in the file's order. */
  readonly schedules: readonly Schedule[];
  /** The message that is sent when the run pauses, as a step of notify@1. */
  readonly onPause?: Step;
}

/** What becomes of the run when a step fails. */
export interface FailureHandling {
  readonly onFailure: OnFailure;
  readonly pauseTimeoutMs: number;
}

export interface StepDefaults extends FailureHandling {
  readonly retry: RetryPolicy;
  readonly maxParallel?: number;
  readonly timeoutMs?: number;
  readonly runsOn?: LocatedEntry;
}

export interface Step extends FailureHandling {
  readonly id: StepId;
  readonly idRange: Range;
  /** Undefined when it could not be found. */
  readonly signature?: StepSignature;
  readonly usesRange: Range;
  readonly with?: LocatedMap;
  /** A `with` is there that could not be read, and was reported. */
  readonly hasBadWith: boolean;
  readonly withRange: Range;
  readonly needs: readonly Need[];
  readonly condition?: Condition;
  readonly strategy?: Strategy;
  readonly search?: SearchStrategy;
  readonly runsOn?: LocatedEntry;
  readonly retry: RetryPolicy;
  readonly timeoutMs?: number;
  readonly cache?: CachePolicy;
  readonly description?: string;
}

export interface Need {
  readonly id: StepId;
  readonly range: Range;
}

/** A step's matrix, as the file says it. */
export interface Strategy {
  /** Of the key `strategy`. */
  readonly range: Range;
  readonly dimensions: ReadonlyMap<string, LocatedEntry>;
  readonly include?: LocatedEntry;
  readonly exclude?: LocatedEntry;
  readonly maxParallel?: number;
  readonly failFast: boolean;
  /** Something in it could not be read, and was reported. */
  readonly isBroken: boolean;
}

export interface Condition {
  readonly scalar: LocatedScalar;
  /** Without `${{ }}`. */
  readonly text: string;
  /** Undefined when it could not be read. */
  readonly expression?: LocatedExpression;
}

export type OnFailure = (typeof ON_FAILURE)[number];
export type Overlap = (typeof OVERLAPS)[number];

/** When the file says that it runs, and with what. */
export interface Schedule {
  /** Of the schedule on the server; its runs have it with their time added. */
  readonly id: string;
  readonly cron: string;
  readonly timezone: string;
  readonly overlap: Overlap;
  readonly catchupWindowMs: number;
  readonly jitterMs: number;
  readonly pauseOnFailure: boolean;
  readonly params: JsonObject;
}
