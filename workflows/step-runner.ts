import type {
  PreparedStep,
  PrepareRequest,
  RunIdentity,
  RunStepInput,
} from '../activities/contract.ts';
import type { Decision } from '../plan/interventions.ts';
import { trainQueue, WORK_QUEUE } from '../plan/names.ts';
import type { PlanStep, StepId } from '../plan/plan.ts';
import type { RunProgress } from '../plan/run-progress.ts';
import { failureEvent, type RunEvent, stepState } from '../plan/run-state.ts';
import { control, resolveSource, runStep, verifyHit } from './activity-proxies.ts';
import { Questions } from './questions.ts';
import type { Recoveries } from './recoveries.ts';

/** A step about to start, with what its expressions gave. */
export interface StartedStep {
  readonly step: PlanStep;
  readonly request: PrepareRequest;
}

/** While a step waits for a person, others may have its place. */
export interface Slot {
  leave(): void;
  take(): void;
}

export interface StepRunnerOptions {
  readonly run: RunIdentity;
  readonly progress: RunProgress;
  readonly recoveries: Recoveries;
}

/** What a step goes through once it may start: its source's revision, the cache, a question, its activity. */
export class StepRunner {
  readonly #options: StepRunnerOptions;
  readonly #questions = new Questions();
  #lastPreparation: Promise<unknown> = Promise.resolve();

  constructor(options: StepRunnerOptions) {
    this.#options = options;
  }

  decide(step: StepId, decision: Decision): void {
    this.#questions.decide(step, decision);
  }

  /** Asks the upstream of a step of effect `source` for its revision. */
  async resolved({ step, request }: StartedStep): Promise<StartedStep> {
    const { run } = this.#options;
    const { upstream } = await resolveSource({
      ...{ run, retry: step.retry },
      ...request,
      ...this.#countedAfter(step),
    });
    return { step, request: { ...request, upstream } };
  }

  /**
   * One call at a time: local activities that run side by side end one by one, but a replay may
   * hear of several ends at once, and would then find other steps ready together than the run did.
   */
  prepare(steps: readonly PrepareRequest[]): Promise<readonly PreparedStep[]> {
    const { run, progress } = this.#options;
    const prepared = this.#lastPreparation.then(async () => {
      const result = await control.prepareSteps({ run, steps, state: progress.snapshot() });
      return result.steps;
    });
    this.#lastPreparation = prepared.catch(() => undefined);
    return prepared;
  }

  /**
   * Runs a step whose fingerprint is known, unless the cache has its result.
   *
   * @returns what happened to it in the end
   * @throws what its activity threw
   */
  async run(
    { step, request }: StartedStep,
    prepared: PreparedStep,
    slot: Slot,
  ): Promise<readonly RunEvent[]> {
    const { progress, recoveries } = this.#options;
    if (prepared.kind === 'invalid') {
      return [failureEvent(step, { at: Date.now(), attempt: 0, error: prepared.error })];
    }
    const { fingerprint } = prepared;
    const fingerprinted = { kind: 'step-fingerprinted', step: step.id, fingerprint } as const;
    if (prepared.kind !== 'hit') progress.apply(fingerprinted);
    const answer =
      prepared.kind === 'unverified' ? await verifyHit({ stepId: step.id, fingerprint }) : prepared;
    if (answer.kind === 'hit') {
      const cached = { kind: 'step-cached', step: step.id, outputs: answer.outputs } as const;
      return [fingerprinted, { ...cached, at: Date.now() }];
    }
    if (answer.kind === 'question') {
      const decision = await this.#ask(step, answer, slot);
      return this.#execute(step, { ...request, fingerprint, decision });
    }
    if (answer.damage !== undefined) recoveries.damaged(step.id, answer.damage);
    return this.#execute(step, { ...request, fingerprint });
  }

  async #ask(
    step: PlanStep,
    { fingerprint, question }: Extract<PreparedStep, { kind: 'question' }>,
    slot: Slot,
  ): Promise<Decision> {
    const { progress } = this.#options;
    slot.leave();
    const until = Date.now() + question.timeoutMs;
    progress.apply({ kind: 'step-asked', step: step.id, question: question.message, until });
    const decision = await this.#questions.ask(step.id, question);
    slot.take();
    progress.apply(
      { kind: 'step-started', step: step.id, at: Date.now() },
      { kind: 'step-fingerprinted', step: step.id, fingerprint },
    );
    return decision;
  }

  #countedAfter({ id }: PlanStep): { readonly countedAfter?: number } {
    const { retriedAfter } = stepState(this.#options.progress.state, id);
    return retriedAfter === undefined ? {} : { countedAfter: retriedAfter };
  }

  async #execute(
    step: PlanStep,
    input: Omit<RunStepInput, 'run' | 'retry' | 'timeoutMs' | 'countedAfter'>,
  ): Promise<readonly RunEvent[]> {
    const { run, recoveries } = this.#options;
    const done = await runStep(
      {
        run,
        ...input,
        retry: step.retry,
        ...(step.timeoutMs !== undefined && { timeoutMs: step.timeoutMs }),
        ...this.#countedAfter(step),
      },
      step.role === 'train' ? trainQueue(input.label) : WORK_QUEUE,
    );
    const { outputs, attempt, cached } = done;
    const note = recoveries.note(step.id, done.note);
    const result = { step: step.id, at: Date.now(), outputs, ...(note !== undefined && { note }) };
    return [
      cached ? { kind: 'step-cached', ...result } : { kind: 'step-completed', ...result, attempt },
    ];
  }
}
