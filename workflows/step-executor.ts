import { CancellationScope, isCancellation } from '@temporalio/workflow';
import type {
  PreparedStep,
  PrepareRequest,
  RunIdentity,
  RunStepResult,
} from '../activities/contract.ts';
import type { JsonObject } from '../plan/json.ts';
import { trainQueue, WORK_QUEUE } from '../plan/names.ts';
import type { Plan, PlanStep, StepId, SubmissionOptions } from '../plan/plan.ts';
import { Matrices } from '../plan/matrices.ts';
import { hasMatrix, type MatrixStep } from '../plan/matrix.ts';
import type { RunProgress } from '../plan/run-progress.ts';
import { stepState, type RunEvent } from '../plan/run-state.ts';
import {
  admit,
  expressionContexts,
  forcedSteps,
  type RunFacts,
  stepRequest,
} from '../plan/scheduling.ts';
import { control, resolveSource, runStep, verifyHit } from './activity-proxies.ts';
import { stepFailure } from './failures.ts';
import { Recoveries } from './recoveries.ts';
import { runSearch } from './search.ts';

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
  readonly #running = new Set<StepId>();
  readonly #matrices: Matrices;
  /** Of what runs. */
  readonly #scopes = new Map<StepId, CancellationScope>();
  readonly #recoveries = new Recoveries();
  #lastPreparation: Promise<unknown> = Promise.resolve();
  /** Steps that the submission asks to run again whatever the cache holds. */
  readonly #forced: ReadonlySet<StepId>;

  constructor(context: StepExecutorOptions) {
    this.#context = context;
    this.#matrices = new Matrices(context.plan);
    this.#forced = forcedSteps(context.plan, context.options);
  }

  isIdle(): boolean {
    return this.#running.size === 0 && !this.#context.progress.isAnyReady;
  }

  /** Decides over every ready step, up to `max_parallel` running at once. */
  startReady(): void {
    const batch: PlanStep[] = [];
    // A skipped step, or the end of a matrix, can make others ready at once.
    do this.#endMatrices();
    while (this.#decide(batch) + this.#startEntries(batch) > 0);
    this.#start(batch);
  }

  /** @returns how many steps were decided over */
  #decide(batch: PlanStep[]): number {
    const { plan, progress } = this.#context;
    const events: RunEvent[] = [];
    let decided = 0;
    for (const step of progress.ready()) {
      if (this.#running.size >= plan.maxParallel) break;
      const contexts = this.#contexts(step);
      const admission = admit(step, progress.circumstances(step), contexts);
      decided += 1;
      if (admission.kind === 'skip') {
        events.push({ kind: 'step-skipped', step: step.id, note: admission.note });
      } else if (admission.kind === 'invalid') {
        // At once: after a failure nothing new starts.
        this.#invalid(step.id, `if: ${admission.message}`);
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
      this.#invalid(step.id, error instanceof Error ? error.message : String(error));
      return [];
    }
  }

  #startEntries(batch: PlanStep[]): number {
    const { plan, progress } = this.#context;
    const free = Math.max(0, plan.maxParallel - this.#running.size);
    const started = this.#matrices.ready(progress.state).slice(0, free);
    progress.apply(...started.map((step) => this.#begin(step, batch)));
    return started.length;
  }

  /** Ends each matrix whose entries have ended, and entries of one that fails fast. */
  #endMatrices(): void {
    const { progress } = this.#context;
    const at = Date.now();
    const failing = this.#matrices.failing(progress.state);
    const pending = failing.filter((id) => stepState(progress.state, id).status === 'pending');
    progress.apply(...pending.map((step) => ({ kind: 'step-cancelled', step, at }) as const));
    for (const id of failing) this.#scopes.get(id)?.cancel();
    progress.apply(...this.#matrices.ends(progress.state, at));
  }

  #contexts({ needs }: PlanStep): JsonObject {
    const { plan, progress, facts } = this.#context;
    return expressionContexts(plan, progress.state, facts, needs);
  }

  #start(batch: readonly PlanStep[]): void {
    const requests: { step: PlanStep; request: PrepareRequest; queue: string }[] = [];
    for (const step of batch) {
      try {
        requests.push({ step, ...this.#evaluate(step) });
      } catch (error) {
        this.#running.delete(step.id);
        this.#invalid(step.id, error instanceof Error ? error.message : String(error));
      }
    }
    const sources = requests.filter(({ step }) => step.effect === 'source');
    const others = requests.filter(({ step }) => step.effect !== 'source');
    for (const { step, request, queue } of sources) {
      void this.#guard(step, async () => {
        const { upstream } = await resolveSource({
          run: this.#context.run,
          retry: step.retry,
          ...request,
        });
        await this.#prepareAndRun([{ step, request: { ...request, upstream }, queue }]);
      });
    }
    if (others.length > 0) void this.#prepareAndRun(others);
  }

  #evaluate(step: PlanStep): { request: PrepareRequest; queue: string } {
    const whole = this.#matrices.stepOf(step.id) ?? step;
    const readable = this.#matrices.contextsOf(step.id, this.#contexts(whole));
    const isForced = this.#forced.has(whole.id);
    const request = stepRequest(step, readable, isForced);
    const queue = step.role === 'train' ? trainQueue(request.label) : WORK_QUEUE;
    return { request, queue };
  }

  async #prepareAndRun(
    requests: readonly { step: PlanStep; request: PrepareRequest; queue: string }[],
  ): Promise<void> {
    let prepared: readonly PreparedStep[];
    try {
      prepared = await this.#prepare(requests.map(({ request }) => request));
    } catch (error) {
      for (const { step } of requests) this.#ended(step, error);
      return;
    }
    requests.forEach(({ step, request, queue }, index) => {
      const answer = prepared[index];
      if (answer === undefined) throw new Error('internal: prepareSteps left a step out');
      void this.#guard(step, () => this.#runPrepared(step, request, queue, answer));
    });
  }

  /**
   * One call at a time: local activities that run side by side end one by one, but a replay may
   * hear of several ends at once, and would then find other steps ready together than the run did.
   */
  #prepare(steps: readonly PrepareRequest[]): Promise<readonly PreparedStep[]> {
    const { run, progress } = this.#context;
    const prepared = this.#lastPreparation.then(async () => {
      const result = await control.prepareSteps({ run, steps, state: progress.snapshot() });
      return result.steps;
    });
    this.#lastPreparation = prepared.catch(() => undefined);
    return prepared;
  }

  async #runPrepared(
    step: PlanStep,
    request: PrepareRequest,
    queue: string,
    prepared: PreparedStep,
  ): Promise<void> {
    const { progress, run } = this.#context;
    if (prepared.kind === 'invalid') {
      this.#running.delete(step.id);
      progress.apply({
        kind: 'step-failed',
        step: step.id,
        at: Date.now(),
        attempt: 0,
        error: prepared.error,
      });
      return;
    }
    const { fingerprint } = prepared;
    const fingerprinted = { kind: 'step-fingerprinted', step: step.id, fingerprint } as const;
    if (prepared.kind !== 'hit') progress.apply(fingerprinted);
    const answer =
      prepared.kind === 'unverified' ? await verifyHit({ stepId: step.id, fingerprint }) : prepared;
    if (answer.kind === 'hit') {
      this.#running.delete(step.id);
      const cached = { kind: 'step-cached', step: step.id, outputs: answer.outputs } as const;
      progress.apply(fingerprinted, { ...cached, at: Date.now() });
      return;
    }
    if (answer.damage !== undefined) this.#recoveries.damaged(step.id, answer.damage);
    const { retry, timeoutMs, search } = step;
    const work = { run, fingerprint, retry, ...(timeoutMs !== undefined && { timeoutMs }) };
    const done: RunStepResult =
      search === undefined
        ? await runStep({ ...request, ...work }, queue)
        : { ...(await runSearch({ ...work, request, search, queue })), attempt: 1 };
    this.#running.delete(step.id);
    const { outputs, attempt, cached } = done;
    const note = this.#recoveries.note(step.id, done.note);
    const result = { step: step.id, at: Date.now(), outputs, ...(note !== undefined && { note }) };
    if (cached) progress.apply({ kind: 'step-cached', ...result });
    else progress.apply({ kind: 'step-completed', ...result, attempt });
  }

  async #guard(step: PlanStep, work: () => Promise<void>): Promise<void> {
    const scope = new CancellationScope();
    this.#scopes.set(step.id, scope);
    try {
      await scope.run(work);
    } catch (error) {
      this.#ended(step, error);
    } finally {
      if (this.#scopes.get(step.id) === scope) this.#scopes.delete(step.id);
    }
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
    progress.apply({
      kind: 'step-failed',
      step: step.id,
      at: Date.now(),
      attempt,
      error: failure.error,
    });
  }

  #invalid(step: StepId, message: string): void {
    const error = { type: 'InvalidInput', message };
    this.#context.progress.apply({ kind: 'step-failed', step, at: Date.now(), attempt: 0, error });
  }
}
