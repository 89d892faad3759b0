import { FailedSteps } from './failed-steps.ts';
import type { PlanStep, RunState, StepId, StepState, StepStatus } from './plan.ts';
import {
  emptyRunState,
  hasEnded,
  hasSucceeded,
  reduceEvent,
  stepState,
  type RunEvent,
} from './run-state.ts';

/** What decides, with an `if`, whether a step whose needs have all ended runs. */
export interface Circumstances {
  /** The first of its needs that did not succeed. */
  readonly unmet: { readonly id: StepId; readonly status: StepStatus } | undefined;
  /** A step that failed, of those that it depends on, directly or through others. */
  readonly failedAbove: StepId | undefined;
  /** Steps that failed anywhere in the run, in the plan's order. */
  readonly failed: readonly StepId[];
}

/**
 * A run as it goes on. What an event costs depends on the steps that it touches, not on how many
 * there are: else a run in one chain would cost the square of its length.
 */
export class RunProgress {
  readonly #states: Record<StepId, StepState> = {};
  #state: RunState = { ...emptyRunState(''), steps: this.#states };
  #steps: readonly PlanStep[] = [];
  readonly #places = new Map<StepId, number>();
  /** Places in the plan of the steps that wait for a step. */
  readonly #dependents = new Map<StepId, number[]>();
  /** How many needs of the step at a place have not ended. */
  readonly #waiting: number[] = [];
  /** Places of the steps that wait for nothing any more. */
  readonly #ready = new Set<number>();
  /** Steps, and entries of matrices, that wait for somebody. */
  readonly #paused = new Set<StepId>();
  #failures = new FailedSteps([]);
  #changes = 0;

  /** As it is now: the next event changes it. */
  get state(): RunState {
    return this.#state;
  }

  /** As it is now, for whoever reads it later. */
  snapshot(): RunState {
    return { ...this.#state, steps: { ...this.#states } };
  }

  /** How many events there were. */
  get changes(): number {
    return this.#changes;
  }

  apply(...events: readonly RunEvent[]): void {
    for (const event of events) {
      const touched = touchedBy(event, this.#states).map(
        (id) => [id, stepState(this.#state, id)] as const,
      );
      this.#state = reduceEvent(this.#state, this.#states, event);
      if (event.kind === 'planned') this.#plan(event.plan.steps);
      if (event.kind === 'replanned') this.#steps = event.plan.steps;
      for (const [id, before] of touched) this.#follow(id, before);
      this.#changes += 1;
    }
  }

  get isAnyReady(): boolean {
    return this.#ready.size > 0;
  }

  /** Steps that wait for nothing any more, in the plan's order. */
  ready(): readonly PlanStep[] {
    return [...this.#ready].sort((a, b) => a - b).flatMap((place) => this.#steps[place] ?? []);
  }

  /** Steps, and entries of matrices, that wait for somebody, in the order of the state. */
  paused(): readonly StepId[] {
    if (this.#paused.size < 2) return [...this.#paused];
    return Object.keys(this.#states).filter((id) => this.#paused.has(id));
  }

  /** When the first of the steps that failed and are paused stops waiting. */
  nextPauseEnd(): number | undefined {
    const ends = [...this.#paused].flatMap((id) => {
      const { question, pausedUntil } = stepState(this.#state, id);
      return question !== undefined || pausedUntil === undefined ? [] : [pausedUntil];
    });
    return ends.length === 0 ? undefined : ends.reduce((a, b) => Math.min(a, b));
  }

  circumstances(step: PlanStep): Circumstances {
    const unmet = step.needs
      .map((id) => ({ id, status: stepState(this.#state, id).status }))
      .find((need) => !hasSucceeded(need));
    return {
      unmet,
      failedAbove: this.#failures.above(step, this.#state),
      failed: this.#failures.all(this.#state),
    };
  }

  /** Steps in the plan's order, then entries of matrices. */
  sorted(ids: Iterable<StepId>): readonly StepId[] {
    const place = (id: StepId): number => this.#places.get(id) ?? this.#places.size;
    return [...ids].sort((a, b) => place(a) - place(b));
  }

  #plan(steps: readonly PlanStep[]): void {
    this.#steps = steps;
    this.#failures = new FailedSteps(steps);
    for (const [place, { id, needs }] of steps.entries()) {
      this.#places.set(id, place);
      this.#waiting.push(new Set(needs).size);
      if (needs.length === 0) this.#ready.add(place);
      for (const need of new Set(needs)) {
        const dependents = this.#dependents.get(need);
        if (dependents === undefined) this.#dependents.set(need, [place]);
        else dependents.push(place);
      }
    }
  }

  /** What another state of a step means for itself and for what waits for it. */
  #follow(id: StepId, before: StepState): void {
    const now = stepState(this.#state, id);
    if (now.status === before.status) return;
    if (now.status === 'paused') this.#paused.add(id);
    else this.#paused.delete(id);
    if (now.status === 'failed' || before.status === 'failed') this.#failures.forget();
    const place = this.#places.get(id);
    if (place === undefined) return;
    this.#settle(place);
    if (hasEnded(now) === hasEnded(before)) return;
    for (const dependent of this.#dependents.get(id) ?? []) {
      this.#waiting[dependent] = (this.#waiting[dependent] ?? 0) + (hasEnded(now) ? -1 : 1);
      this.#settle(dependent);
    }
  }

  #settle(place: number): void {
    const { id = '' } = this.#steps[place] ?? {};
    const isPending = stepState(this.#state, id).status === 'pending';
    if (isPending && this.#waiting[place] === 0) this.#ready.add(place);
    else this.#ready.delete(place);
  }
}

function touchedBy(event: RunEvent, steps: Readonly<Record<StepId, StepState>>): readonly StepId[] {
  switch (event.kind) {
    case 'planned':
    case 'replanned':
    case 'paused':
    case 'resumed':
    case 'ended':
      return [];
    case 'step-invalidated':
      return [event.step, ...(steps[event.step]?.entries ?? [])];
    case 'step-expanded':
      return [event.step, ...event.entries.map(({ id }) => id)];
    default:
      return [event.step];
  }
}
