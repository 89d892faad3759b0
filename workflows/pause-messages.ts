import { log } from '@temporalio/workflow';
import type { RunIdentity } from '../activities/contract.ts';
import type { JsonObject } from '../plan/json.ts';
import { WORK_QUEUE } from '../plan/names.ts';
import type { Plan, StepId } from '../plan/plan.ts';
import type { RunProgress } from '../plan/run-progress.ts';
import { stepState } from '../plan/run-state.ts';
import { expressionContexts, type RunFacts, stepRequest } from '../plan/scheduling.ts';
import { runStep } from './activity-proxies.ts';
import { stepFailure } from './failures.ts';

export interface PauseMessagesOptions {
  readonly run: RunIdentity;
  readonly progress: RunProgress;
  readonly facts: (plan: Plan) => RunFacts;
}

/** Tells a webhook of steps that pause, where the pipeline says which. */
export class PauseMessages {
  readonly #options: PauseMessagesOptions;
  #told: ReadonlySet<StepId> = new Set();
  #sent = 0;
  #problem: string | undefined;
  #changes = 0;

  constructor(options: PauseMessagesOptions) {
    this.#options = options;
  }

  /** Why the newest message did not arrive. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** How often `problem` has changed. */
  get changes(): number {
    return this.#changes;
  }

  /** Sends one message of the steps that have paused since the last call. */
  tell(plan: Plan): void {
    const paused = this.#options.progress.paused();
    const news = paused.filter((id) => !this.#told.has(id));
    this.#told = new Set(paused);
    if (news.length === 0 || plan.onPause === undefined) return;
    this.#sent += 1;
    this.#send({ ...plan, onPause: plan.onPause }, news, `${plan.onPause.id}.${this.#sent}`).then(
      () => this.#end(undefined),
      (error: unknown) => {
        const { message } = stepFailure(error).error;
        log.warn('the message of a pause was not sent', { message });
        this.#end(message);
      },
    );
  }

  async #send(
    plan: Plan & Required<Pick<Plan, 'onPause'>>,
    steps: readonly StepId[],
    id: StepId,
  ): Promise<void> {
    const { run, progress, facts } = this.#options;
    const step = { ...plan.onPause, id };
    const request = stepRequest(
      step,
      expressionContexts(plan, progress.state, facts(plan), []),
      false,
    );
    const inputs = { ...request.inputs, body: this.#body(steps) };
    const { retry } = step;
    await runStep({ run, ...request, inputs, fingerprint: '', retry }, WORK_QUEUE);
  }

  /** `text` is what chats show; the rest is for programs. */
  #body(steps: readonly StepId[]): JsonObject {
    const { run, progress } = this.#options;
    const { state } = progress;
    const paused = steps.map((step) => {
      const { question, error, pausedUntil } = stepState(state, step);
      const message = question ?? error?.message ?? '';
      const until = pausedUntil === undefined ? null : new Date(pausedUntil).toISOString();
      return { step, reason: question === undefined ? 'failed' : 'asks', message, until };
    });
    const told = paused.map(({ step, reason, message }) => `${step} ${reason}: ${message}`);
    const text = `run ${run.workflowId} (${state.name}) waits: ${told.join('; ')}`;
    return {
      ...{ type: 'run.paused', text: text.slice(0, MAX_TEXT), run: run.workflowId },
      ...{ pipeline: state.name, steps: paused.slice(0, MAX_STEPS) },
    };
  }

  #end(problem: string | undefined): void {
    if (problem === this.#problem) return;
    this.#problem = problem;
    this.#changes += 1;
  }
}

const MAX_TEXT = 4000;
const MAX_STEPS = 20;
