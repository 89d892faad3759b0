import { isCancellation } from '@temporalio/workflow';
import type { PreparedStep, RunIdentity } from '../activities/contract.ts';
import { checkSkip, type Decision, type SkipRequest } from '../plan/interventions.ts';
import type { JsonObject } from '../plan/json.ts';
import type { Plan, PlanStep, StepId, SubmissionOptions } from '../plan/plan.ts';
import { Matrices } from '../plan/matrices.ts';
import { hasMatrix, type MatrixStep } from '../plan/matrix.ts';
import type { RunProgress } from '../plan/run-progress.ts';
import {
  dependentsOf,
  expiry,
  failureEvent,
  isUnbegun,
  stepState,
  type RunEvent,
} from '../plan/run-state.ts';
import {
  admit,
  expressionContexts,
  forcedSteps,
  type RunFacts,
  type StepRequest,
  stepRequest,
} from '../plan/scheduling.ts';
import { control } from './activity-proxies.ts';
import { stepFailure } from './failures.ts';
import { Recoveries } from './recoveries.ts';
import { type Slot, type StartedStep, StepRunner } from './step-runner.ts';
import { StepScopes } from './step-scopes.ts';

export interface StepExecutorOptions {
  readonly plan: Plan;
  readonly run: RunIdentity;
  readonly facts: RunFacts;
  readonly options: SubmissionOptions;
  readonly progress: RunProgress;
}

/** Starts what is ready and turns what activities answer into events. */
export class StepExecutor {
  readonly #context: StepExecutorOptions;
  #plan: Plan;
  readonly #runner: StepRunner;
  readonly #running = new Set<StepId>();
  readonly #matrices: Matrices;
  readonly #scopes = new StepScopes();
  readonly #recoveries = new Recoveries();
  /** Steps that the submission asks to run again whatever the cache holds. */
  readonly #forced: ReadonlySet<StepId>;

  constructor(context: StepExecutorOptions) {
    this.#context = context;
    this.#plan = context.plan;
    const { run, progress } = context;
    this.#runner = new StepRunner({ run, progress, recoveries: this.#recoveries });
    this.#matrices = new Matrices(context.plan);
    this.#forced = forcedSteps(context.plan, context.options);
  }

  get isAnyRunning(): boolean {
    return this.#running.size > 0;
  }

  /** Nothing runs, waits for somebody, or could start. */
  isIdle(): boolean {
    const { progress } = this.#context;
    const isWaiting = this.isAnyRunning || progress.isAnyReady || progress.paused().length > 0;
    return !isWaiting && this.#matrices.ready(progress.state).length === 0;
  }

  /** Decides over every ready step, up to `max_parallel` running at once. */
  startReady(): void {
    const batch: PlanStep[] = [];
    // A skipped step, or the end of a matrix, can make others ready at once.
    do this.endMatrices();
    while (this.#decide(batch) + this.#startEntries(batch) > 0);
    this.#start(batch);
  }

  /** @returns how many steps were decided over */
  #decide(batch: PlanStep[]): number {
    const { progress } = this.#context;
    const events: RunEvent[] = [];
    let decided = 0;
    for (const step of progress.ready()) {
      if (this.#running.size >= this.#plan.maxParallel) break;
      const contexts = this.#contexts(step);
      const admission = admit(step, progress.circumstances(step), contexts);
      decided += 1;
      if (admission.kind === 'skip') {
        events.push({ kind: 'step-skipped', step: step.id, note: admission.note });
      } else if (admission.kind === 'invalid') {
        // At once: after a failure nothing new starts.
        this.#invalid(step, `if: ${admission.message}`);
      } else if (hasMatrix(step)) {
        events.push(...this.#expand(step, contexts));
      } else {
        events.push(this.#begin(step, batch));
      }
    }
    progress.apply(...events);
    return decided;
  }

  #begin(step: PlanStep, batch: PlanStep[]): RunEvent {
    this.#running.add(step.id);
    batch.push(step);
    return { kind: 'step-started', step: step.id, at: Date.now() };
  }

  #expand(step: MatrixStep, contexts: JsonObject): readonly RunEvent[] {
    try {
      return this.#matrices.expand(step, contexts, Date.now());
    } catch (error) {
      this.#invalid(step, error instanceof Error ? error.message : String(error));
      return [];
    }
  }

  #startEntries(batch: PlanStep[]): number {
    const { progress } = this.#context;
    const free = Math.max(0, this.#plan.maxParallel - this.#running.size);
    const started = this.#matrices.ready(progress.state).slice(0, free);
    progress.apply(...started.map((step) => this.#begin(step, batch)));
    return started.length;
  }

  /** Ends each matrix whose entries have ended, and entries of one that fails fast. */
  endMatrices(): void {
    const { progress } = this.#context;
    const at = Date.now();
    const failing = this.#matrices.failing(progress.state);
    const pending = failing.filter((id) => isUnbegun(stepState(progress.state, id)));
    progress.apply(...pending.map((step) => ({ kind: 'step-cancelled', step, at }) as const));
    for (const id of failing) this.#scopes.cancel(id);
    progress.apply(...this.#matrices.ends(progress.state, at));
  }

  #contexts({ needs }: PlanStep): JsonObject {
    const { progress, facts } = this.#context;
    return expressionContexts(this.#plan, progress.state, facts, needs);
  }

  #start(batch: readonly PlanStep[]): void {
    const started: StartedStep[] = [];
    for (const step of batch) {
      try {
        started.push({ step, request: this.#evaluate(step) });
      } catch (error) {
        this.#running.delete(step.id);
        this.#invalid(step, error instanceof Error ? error.message : String(error));
      }
    }
    const others = started.filter(({ step }) => step.effect !== 'source');
    for (const source of started.filter(({ step }) => step.effect === 'source')) {
      const onEnd = (resolved: StartedStep): void => void this.#prepareAndRun([resolved]);
      this.#run(source.step, () => this.#runner.resolved(source), onEnd);
    }
    if (others.length > 0) void this.#prepareAndRun(others);
  }

  #evaluate(step: PlanStep): StepRequest {
    const whole = this.#matrices.stepOf(step.id) ?? step;
    const readable = this.#matrices.contextsOf(step.id, this.#contexts(whole));
    return stepRequest(step, readable, this.#forced.has(whole.id));
  }

  async #prepareAndRun(started: readonly StartedStep[]): Promise<void> {
    let prepared: readonly PreparedStep[];
    try {
      prepared = await this.#runner.prepare(started.map(({ request }) => request));
    } catch (error) {
      for (const { step } of started) this.#ended(step, error);
      return;
    }
    started.forEach((each, index) => {
      const answer = prepared[index];
      if (answer === undefined) throw new Error('internal: prepareSteps left a step out');
      const { step } = each;
      const work = (): Promise<readonly RunEvent[]> =>
        this.#runner.run(each, answer, this.#slot(step.id));
      this.#run(step, work, (events) => {
        this.#running.delete(step.id);
        this.#context.progress.apply(...events);
      });
    });
  }

  #run<T>(step: PlanStep, work: () => Promise<T>, onEnd: (result: T) => void): void {
    const onError = (error: unknown): void => this.#ended(step, error);
    void this.#scopes.run(step.id, work, { onEnd, onError });
  }

  #slot(id: StepId): Slot {
    return { leave: () => this.#running.delete(id), take: () => this.#running.add(id) };
  }

  #ended(step: PlanStep, error: unknown): void {
    const { progress } = this.#context;
    this.#running.delete(step.id);
    if (isCancellation(error)) {
      progress.apply({ kind: 'step-cancelled', step: step.id, at: Date.now() });
      return;
    }
    const failure = stepFailure(error);
    const matrixOf = (id: StepId): StepId | undefined => this.#matrices.stepOf(id)?.id;
    const recovery =
      failure.artifact &&
      this.#recoveries.recover(step.id, failure.artifact, progress.state, matrixOf);
    if (recovery) {
      progress.apply(...recovery);
      return;
    }
    const { attempt } = failure;
    progress.apply(failureEvent(step, { at: Date.now(), attempt, error: failure.error }));
  }

  #invalid(step: PlanStep, message: string): void {
    const error = { type: 'InvalidInput', message };
    this.#context.progress.apply(failureEvent(step, { at: Date.now(), attempt: 0, error }));
  }

  /** Another try of paused steps. */
  retry(steps: readonly StepId[]): void {
    this.#context.progress.apply(...steps.map((step) => ({ kind: 'step-retried', step }) as const));
  }

  decide(step: StepId, decision: Decision): void {
    this.#runner.decide(step, decision);
  }

  /**
   * Leaves a step out; with outputs it counts as completed.
   *
   * @throws Refusal, or the failure of the activity that checks outputs
   */
  async skip(request: SkipRequest): Promise<void> {
    const { progress } = this.#context;
    const { step: id, outputs } = request;
    if (outputs !== undefined) await this.#checkOutputs(id, outputs);
    // Meanwhile the run went on.
    checkSkip(progress.state, request);
    const { error, attempt, question } = stepState(progress.state, id);
    this.#scopes.abandon(id);
    const asked = question === undefined ? '' : ' before a decision';
    const cause = error === undefined ? asked : ` after: ${error.message}`;
    if (outputs === undefined) {
      progress.apply({ kind: 'step-skipped', step: id, note: `left out by hand${cause}` });
      return;
    }
    const given = { step: id, at: Date.now(), attempt, outputs };
    progress.apply({ kind: 'step-completed', ...given, note: `outputs given by hand${cause}` });
  }

  async #checkOutputs(id: StepId, outputs: JsonObject): Promise<void> {
    const step = this.#matrices.stepOf(id) ?? this.#plan.steps.find((known) => known.id === id);
    if (step === undefined) throw new Error(`internal: no step ${id}`);
    const { kind, version, revision, source } = step;
    await control.checkOutputs({
      ...{ stepId: id, kind, version, revision, outputs },
      ...(source !== undefined && { source }),
    });
  }

  /**
   * Goes on with other params.
   *
   * @param readers steps that read one of those that changed
   * @returns steps that run again: of those the ones that had begun, and what depends on them
   */
  replan(
    plan: Plan,
    { readers, note }: { readonly readers: readonly StepId[]; readonly note: string },
  ): readonly StepId[] {
    const { progress } = this.#context;
    this.#plan = plan;
    this.#matrices.replan(plan);
    const dependents = progress.sorted(dependentsOf(plan, new Set(readers)));
    const begun = dependents.filter((id) => stepState(progress.state, id).status !== 'pending');
    for (const id of begun) {
      this.#scopes.abandon(id);
      for (const entry of stepState(progress.state, id).entries ?? []) this.#scopes.abandon(entry);
    }
    progress.apply(
      { kind: 'replanned', plan },
      ...begun.map((step) => ({ kind: 'step-invalidated', step, note }) as const),
    );
    return begun;
  }

  /** Steps that nobody cared for in time have failed after all. */
  expirePauses(now: number): void {
    const { progress } = this.#context;
    progress.apply(...progress.paused().flatMap((id) => expiry(id, progress.state, now) ?? []));
  }
}
