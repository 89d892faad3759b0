import type { JsonObject } from './json.ts';
import {
  endOfMatrix,
  entryStep,
  expandMatrix,
  hasMatrix,
  isFailing,
  type MatrixStep,
  readyEntries,
} from './matrix.ts';
import type { Plan, PlanStep, RunState, StepId } from './plan.ts';
import { type RunEvent, stepState, type StepEvent } from './run-state.ts';

/** The steps of a run that have a matrix, and the entries that they became. */
export class Matrices {
  #steps: readonly MatrixStep[] = [];
  #ids: ReadonlySet<StepId> = new Set();
  readonly #entries = new Map<StepId, { readonly step: MatrixStep; readonly values: JsonObject }>();

  constructor(plan: Plan) {
    this.replan(plan);
  }

  /** The same steps with other params: those that begin from now on have the new values. */
  replan({ steps }: Plan): void {
    this.#steps = steps.filter(hasMatrix);
    this.#ids = new Set(this.#steps.map(({ id }) => id));
  }

  /**
   * Begins a step: its entries become steps of the run.
   *
   * @throws Error that says what is wrong with the values of its matrix
   */
  expand(step: MatrixStep, contexts: JsonObject, at: number): readonly RunEvent[] {
    const entries = expandMatrix(step, contexts);
    for (const { id, values } of entries) this.#entries.set(id, { step, values });
    return [
      { kind: 'step-started', step: step.id, at },
      { kind: 'step-expanded', step: step.id, entries },
    ];
  }

  /** Entries that may start now, as steps. */
  ready(state: RunState): readonly PlanStep[] {
    return this.#steps.flatMap((step) =>
      readyEntries(step, state).map((id) => entryStep(step, id)),
    );
  }

  /** Whether the step has a matrix. */
  has(id: StepId): boolean {
    return this.#ids.has(id);
  }

  /** The step whose entry this is. */
  stepOf(entry: StepId): MatrixStep | undefined {
    return this.#entries.get(entry)?.step;
  }

  /** What the expressions of a step, or of an entry, read. */
  contextsOf(id: StepId, contexts: JsonObject): JsonObject {
    const entry = this.#entries.get(id);
    return entry === undefined ? contexts : { ...contexts, matrix: entry.values };
  }

  /** Entries to cancel since another one failed: those that run, and those that have not begun. */
  failing(state: RunState): readonly StepId[] {
    return this.#steps
      .filter((step) => stepState(state, step.id).status === 'running' && isFailing(step, state))
      .flatMap(({ id }) => stepState(state, id).entries ?? []);
  }

  /** The ends of those whose entries have all ended. */
  ends(state: RunState, at: number): readonly StepEvent[] {
    return this.#steps.flatMap((step) => endOfMatrix(step, state, at) ?? []);
  }
}
