import type { JsonObject } from './json.ts';
import type { MatrixEntry } from './matrix.ts';
import type { Plan, PlanStep, RunState, RunStatus, StepError, StepId, StepState } from './plan.ts';

/** Everything that can happen to a run. `at` is milliseconds since the epoch. */
export type RunEvent =
  | { kind: 'planned'; plan: Plan }
  /** The same steps with other params. */
  | { kind: 'replanned'; plan: Plan }
  | { kind: 'step-started'; step: StepId; at: number }
  | { kind: 'step-expanded'; step: StepId; entries: readonly MatrixEntry[] }
  | { kind: 'step-fingerprinted'; step: StepId; fingerprint: string }
  | { kind: 'step-cached'; step: StepId; at: number; outputs: JsonObject; note?: string }
  | {
      kind: 'step-completed';
      step: StepId;
      at: number;
      attempt: number;
      outputs: JsonObject;
      note?: string;
    }
  | { kind: 'step-failed'; step: StepId; at: number; attempt: number; error: StepError }
  /** It failed, and waits for somebody. */
  | {
      kind: 'step-paused';
      step: StepId;
      at: number;
      attempt: number;
      error: StepError;
      until: number;
    }
  /** It waits for a decision. */
  | { kind: 'step-asked'; step: StepId; question: string; until: number }
  /** Somebody asks for another try. */
  | { kind: 'step-retried'; step: StepId }
  | { kind: 'step-skipped'; step: StepId; note: string }
  | { kind: 'step-cancelled'; step: StepId; at: number }
  | { kind: 'step-invalidated'; step: StepId; note: string }
  /** An entry of it has to run again. */
  | { kind: 'step-reopened'; step: StepId }
  /** Nothing goes on until somebody does something. */
  | { kind: 'paused'; note: string }
  | { kind: 'resumed' }
  | { kind: 'ended'; status: RunStatus; outputs?: JsonObject; error?: StepError };

const PENDING: StepState = { status: 'pending', attempt: 0 };

export function emptyRunState(name: string): RunState {
  return { name, status: 'running', steps: {}, outputs: {} };
}

/**
 * The state after an event, from nothing else, so that a replayed history gives the same state.
 *
 * @param steps those of `state`, which are changed in place
 */
export function reduceEvent(
  state: RunState,
  steps: Record<StepId, StepState>,
  event: RunEvent,
): RunState {
  switch (event.kind) {
    case 'planned':
      // One with a matrix gives lists, of nothing as long as it has no entries.
      for (const { id, strategy } of event.plan.steps) {
        steps[id] = strategy === undefined ? PENDING : { ...PENDING, entries: [] };
      }
      return { ...state, name: event.plan.name, ...trainingsOf(event.plan) };
    case 'replanned':
      return state;
    case 'paused':
      return { ...state, status: 'paused', note: event.note };
    case 'resumed':
      return { ...withoutNote(state), status: 'running' };
    case 'ended':
      return {
        ...withoutNote(state),
        status: event.status,
        ...(event.outputs && { outputs: event.outputs }),
        ...(event.error && { error: event.error }),
      };
    case 'step-expanded':
      steps[event.step] = {
        ...(steps[event.step] ?? PENDING),
        entries: event.entries.map(({ id }) => id),
      };
      for (const { id, values } of event.entries) steps[id] = { ...PENDING, matrix: values };
      return state;
    case 'step-invalidated':
      // What its matrix gave is no more: the next start combines it again.
      for (const entry of steps[event.step]?.entries ?? []) delete steps[entry];
      steps[event.step] = reduceStep(steps[event.step] ?? PENDING, event);
      return state;
    default:
      steps[event.step] = reduceStep(steps[event.step] ?? PENDING, event);
      return state;
  }
}

function withoutNote({ note: _, ...state }: RunState): RunState {
  return state;
}

function trainingsOf({ steps }: Plan): Pick<RunState, 'trainings'> {
  const trainings = steps.filter(({ kind }) => kind === 'train').map(({ id }) => id);
  return trainings.length === 0 ? {} : { trainings };
}

/** What can happen to one step. */
export type StepEvent = Exclude<Extract<RunEvent, { step: StepId }>, { kind: 'step-expanded' }>;

function reduceStep(before: StepState, event: StepEvent): StepState {
  // Of a pause nothing stays.
  const { pausedUntil: _until, question: _question, ...step } = before;
  switch (event.kind) {
    case 'step-started':
      return {
        status: 'running',
        attempt: Math.max(1, step.attempt),
        startedAt: event.at,
        ...(step.retriedAfter !== undefined && { retriedAfter: step.retriedAfter }),
        ...(step.matrix !== undefined && { matrix: step.matrix }),
      };
    case 'step-fingerprinted':
      return { ...step, fingerprint: event.fingerprint };
    case 'step-cached':
      return {
        ...step,
        status: 'cached',
        attempt: 0,
        outputs: event.outputs,
        endedAt: event.at,
        ...(event.note !== undefined && { note: event.note }),
      };
    case 'step-completed':
      return {
        ...withoutError(step),
        status: 'completed',
        attempt: event.attempt,
        outputs: event.outputs,
        endedAt: event.at,
        ...(event.note !== undefined && { note: event.note }),
      };
    case 'step-failed':
      return {
        ...step,
        status: 'failed',
        attempt: event.attempt,
        error: event.error,
        endedAt: event.at,
      };
    case 'step-paused': {
      const { attempt, error, at, until } = event;
      return { ...step, status: 'paused', attempt, error, endedAt: at, pausedUntil: until };
    }
    case 'step-asked': {
      const { question, until } = event;
      return { ...step, status: 'paused', question, pausedUntil: until };
    }
    case 'step-retried': {
      const { attempt, matrix, entries } = step;
      return {
        ...{ status: 'pending', attempt, retriedAfter: attempt, note: 'another try, asked for' },
        ...(matrix !== undefined && { matrix }),
        ...(entries !== undefined && { entries: [] }),
      };
    }
    case 'step-skipped':
      return { ...withoutError(step), status: 'skipped', note: event.note };
    case 'step-cancelled':
      return { ...step, status: 'cancelled', endedAt: event.at };
    case 'step-invalidated':
      return {
        status: 'pending',
        attempt: step.attempt,
        note: event.note,
        ...(step.matrix !== undefined && { matrix: step.matrix }),
        ...(step.entries !== undefined && { entries: [] }),
      };
    case 'step-reopened': {
      const { entries = [], startedAt } = step;
      const { attempt } = step;
      return {
        status: 'running',
        attempt,
        entries,
        ...(startedAt !== undefined && { startedAt }),
      };
    }
  }
}

function withoutError({ error: _, ...step }: StepState): StepState {
  return step;
}

/** A step that failed has failed, or pauses where it says so. */
export function failureEvent(
  { id: step, pauseTimeoutMs }: Pick<PlanStep, 'id' | 'pauseTimeoutMs'>,
  failure: { readonly at: number; readonly attempt: number; readonly error: StepError },
): RunEvent {
  if (pauseTimeoutMs === undefined) return { kind: 'step-failed', step, ...failure };
  return { kind: 'step-paused', step, ...failure, until: failure.at + pauseTimeoutMs };
}

/** The end of a pause whose time is over; undefined before, and for a question, which has its own. */
export function expiry(id: StepId, state: RunState, now: number): RunEvent | undefined {
  const { question, pausedUntil, attempt, error } = stepState(state, id);
  const isOver = question === undefined && pausedUntil !== undefined && pausedUntil <= now;
  if (!isOver || error === undefined) return undefined;
  const message = `${error.message} (nobody said retry or skip within its pause_timeout)`;
  return { kind: 'step-failed', step: id, at: now, attempt, error: { ...error, message } };
}

/** The steps in the order of the file, each with a matrix before its entries. */
export function orderedSteps({ steps }: RunState): readonly (readonly [StepId, StepState])[] {
  return Object.entries(steps)
    .filter(([, { matrix }]) => matrix === undefined)
    .flatMap(([id, step]) => [
      [id, step] as const,
      ...(step.entries ?? []).map((entry) => [entry, steps[entry] ?? PENDING] as const),
    ]);
}

/** The run's status in words: one that had little to do says so. */
export function statusText({ status, steps, note, trainings = [] }: RunState): string {
  if (status === 'paused' && note !== undefined) return `paused: ${note}`;
  const all = Object.values(steps).filter(({ entries = [] }) => entries.length === 0);
  const cached = all.filter((step) => step.status === 'cached').length;
  if (status !== 'completed' || cached === 0) return status;
  const trained = trainings.flatMap((id) => steps[id]?.entries ?? [id]);
  const ended = new Set(trained.map((id) => steps[id]?.status));
  const nothing = ended.has('cached') && !ended.has('completed') ? ', nothing was trained' : '';
  return `${status}, ${cached} of ${all.length} steps from the cache${nothing}`;
}

export function stepState(state: RunState, id: StepId): StepState {
  return state.steps[id] ?? PENDING;
}

export function hasSucceeded(step: Pick<StepState, 'status'>): boolean {
  return step.status === 'completed' || step.status === 'cached';
}

export function hasEnded(step: Pick<StepState, 'status'>): boolean {
  return step.status !== 'pending' && step.status !== 'running' && step.status !== 'paused';
}

/** It has not begun, or waits for another try. */
export function isUnbegun({ status, question }: StepState): boolean {
  return status === 'pending' || (status === 'paused' && question === undefined);
}

/** The step and every step that depends on it, directly or through others. */
export function dependentsOf(plan: Plan, roots: ReadonlySet<StepId>): ReadonlySet<StepId> {
  const found = new Set<StepId>(roots);
  // A pass a level: a step may stand in the file before what it needs.
  for (let size = -1; size !== found.size;) {
    size = found.size;
    for (const step of plan.steps) {
      if (step.needs.some((id) => found.has(id))) found.add(step.id);
    }
  }
  return found;
}
