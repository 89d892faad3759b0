import { isCancellation } from '@temporalio/workflow';
import type {
  PipelineOptions,
  PreparedStep,
  PrepareRequest,
  RunIdentity,
} from '../activities/contract.ts';
import { evaluateTemplate } from '../plan/expressions.ts';
import type { JsonObject } from '../plan/json.ts';
import { trainQueue, WORK_QUEUE } from '../plan/names.ts';
import { evaluateInputs } from '../plan/secret-inputs.ts';
import type { Plan, PlanStep, RunState, StepId } from '../plan/plan.ts';
import { dependentsOf, readySteps, stepState, type RunEvent } from '../plan/run-state.ts';
import { admit, expressionContexts, type RunFacts } from '../plan/scheduling.ts';
import { control, resolveSource, runStep, verifyHit } from './activity-proxies.ts';
import { stepFailure } from './failures.ts';

/** A step whose input was found corrupt is tried again this often after its producer. */
const MAX_RECOVERIES = 3;

export interface StepExecutorOptions {
  readonly plan: Plan;
  readonly run: RunIdentity;
  readonly facts: RunFacts;
  readonly options: PipelineOptions;
  state(): RunState;
  apply(...events: readonly RunEvent[]): void;
}

/** Starts what is ready and turns what activities answer into events. */
export class StepExecutor {
  readonly #context: StepExecutorOptions;
  readonly #running = new Set<StepId>();
  readonly #recoveries = new Map<StepId, number>();
  /** What was found damaged of a step that runs again. */
  readonly #damages = new Map<StepId, string>();
  #lastPreparation: Promise<unknown> = Promise.resolve();
  /** Steps that the submission asks to run again whatever the cache holds. */
  readonly #forced: ReadonlySet<StepId>;

  constructor(context: StepExecutorOptions) {
    this.#context = context;
    const { plan, options } = context;
    const roots = options.from === undefined ? [] : [options.from];
    this.#forced = options.force
      ? new Set(plan.steps.map((step) => step.id))
      : dependentsOf(plan, new Set(roots));
  }

  isIdle(): boolean {
    return (
      this.#running.size === 0 && readySteps(this.#context.plan, this.#context.state()).length === 0
    );
  }

  /** Decides over every ready step, up to `max_parallel` running at once. */
  startReady(): void {
    const { plan, state, apply } = this.#context;
    const batch: PlanStep[] = [];
    // A skipped step can make others ready at once.
    for (let ready = readySteps(plan, state()); ready.length > 0;) {
      let decided = 0;
      // What ends in this round is needed by none of these steps.
      const contexts = this.#contexts();
      const events: RunEvent[] = [];
      for (const step of ready) {
        if (this.#running.size >= plan.maxParallel) break;
        const admission = admit(step, plan, state(), contexts);
        decided += 1;
        if (admission.kind === 'skip') {
          events.push({ kind: 'step-skipped', step: step.id, note: admission.note });
        } else if (admission.kind === 'invalid') {
          // At once: after a failure nothing new starts.
          this.#invalid(step.id, `if: ${admission.message}`);
        } else {
          events.push({ kind: 'step-started', step: step.id, at: Date.now() });
          this.#running.add(step.id);
          batch.push(step);
        }
      }
      apply(...events);
      if (decided === 0) break;
      ready = readySteps(plan, state());
    }
    this.#start(batch);
  }

  #contexts(): JsonObject {
    const { plan, state, facts } = this.#context;
    return expressionContexts(plan, state(), facts);
  }

  #start(batch: readonly PlanStep[]): void {
    const requests: { step: PlanStep; request: PrepareRequest; queue: string }[] = [];
    const contexts = this.#contexts();
    for (const step of batch) {
      try {
        requests.push({ step, ...this.#evaluate(step, contexts) });
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

  #evaluate(step: PlanStep, contexts: JsonObject): { request: PrepareRequest; queue: string } {
    const { inputs, secrets } = evaluateInputs(step.with, contexts);
    const label = evaluateTemplate(step.runsOn, contexts);
    if (typeof label !== 'string' || !/^[A-Za-z0-9_.-]+$/.test(label)) {
      throw new Error(
        `runs_on: found ${JSON.stringify(label)}, expected a worker label such as 'cpu'`,
      );
    }
    return {
      queue: step.role === 'train' ? trainQueue(label) : WORK_QUEUE,
      request: {
        stepId: step.id,
        kind: step.kind,
        version: step.version,
        revision: step.revision,
        ...{ inputs, label },
        ...(secrets.length > 0 && { secrets }),
        force: this.#forced.has(step.id),
      },
    };
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
    const { run, state } = this.#context;
    const prepared = this.#lastPreparation.then(async () => {
      const result = await control.prepareSteps({ run, steps, state: state() });
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
    const { apply, run } = this.#context;
    if (prepared.kind === 'invalid') {
      this.#running.delete(step.id);
      apply({
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
    if (prepared.kind !== 'hit') apply(fingerprinted);
    const answer =
      prepared.kind === 'unverified' ? await verifyHit({ stepId: step.id, fingerprint }) : prepared;
    if (answer.kind === 'hit') {
      this.#running.delete(step.id);
      const cached = { kind: 'step-cached', step: step.id, outputs: answer.outputs } as const;
      apply(fingerprinted, { ...cached, at: Date.now() });
      return;
    }
    if (answer.damage !== undefined) this.#damages.set(step.id, answer.damage);
    const done = await runStep(
      {
        run,
        ...request,
        fingerprint,
        retry: step.retry,
        ...(step.timeoutMs !== undefined && { timeoutMs: step.timeoutMs }),
      },
      queue,
    );
    this.#running.delete(step.id);
    const { outputs, attempt, cached } = done;
    const note = this.#note(step.id, done.note);
    const result = { step: step.id, at: Date.now(), outputs, ...(note !== undefined && { note }) };
    if (cached) apply({ kind: 'step-cached', ...result });
    else apply({ kind: 'step-completed', ...result, attempt });
  }

  /** What a step says of its result, and that it ran because an earlier one was damaged. */
  #note(step: StepId, said: string | undefined): string | undefined {
    const damage = this.#damages.get(step);
    if (damage === undefined) return said;
    const again = `made again: ${damage}`;
    return said === undefined ? again : `${said}; ${again}`;
  }

  async #guard(step: PlanStep, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#ended(step, error);
    }
  }

  #ended(step: PlanStep, error: unknown): void {
    const { apply } = this.#context;
    this.#running.delete(step.id);
    if (isCancellation(error)) {
      apply({ kind: 'step-cancelled', step: step.id, at: Date.now() });
      return;
    }
    const failure = stepFailure(error);
    if (failure.artifact !== undefined && this.#recover(step.id, failure.artifact)) return;
    const { attempt } = failure;
    apply({ kind: 'step-failed', step: step.id, at: Date.now(), attempt, error: failure.error });
  }

  /** An artifact that is gone or corrupt: its producer runs again, then the step that reads it. */
  #recover(reader: StepId, artifact: string): boolean {
    const { plan, state, apply } = this.#context;
    const count = (this.#recoveries.get(reader) ?? 0) + 1;
    const producer = plan.steps.find((step) =>
      Object.values(stepState(state(), step.id).outputs ?? {}).includes(artifact),
    );
    if (producer === undefined || count > MAX_RECOVERIES) return false;
    this.#recoveries.set(reader, count);
    const damage = `${artifact} could not be read`;
    this.#damages.set(producer.id, damage);
    apply({ kind: 'step-invalidated', step: producer.id, note: `made again: ${damage}` });
    apply({ kind: 'step-invalidated', step: reader, note: `waits for '${producer.id}'` });
    return true;
  }

  #invalid(step: StepId, message: string): void {
    const error = { type: 'InvalidInput', message };
    this.#context.apply({ kind: 'step-failed', step, at: Date.now(), attempt: 0, error });
  }
}
