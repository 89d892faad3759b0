import type { Plan, StepId } from '../../plan/plan.ts';
import type { RunRecord } from '../../store/runs.ts';
import type { Store } from '../../store/store.ts';
import type { AnyStep } from '../catalog.ts';

export interface PreviewRequest {
  readonly plan: Plan;
  /** Nothing is written to it. */
  readonly store: Store;
  readonly catalog: readonly AnyStep[];
  /** Where `file:` sources are, and how others are asked: as the worker's. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly workRoot: string;
  readonly options?: { readonly from?: StepId; readonly force?: boolean };
  /** The run's id, where it is known. */
  readonly id?: string;
  /** The run to compare with; without one the newest of the pipeline. */
  readonly since?: RunRecord;
  /** Ask no source for its revision. */
  readonly isOffline?: boolean;
  readonly signal: AbortSignal;
}
