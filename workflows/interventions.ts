import { ApplicationFailure, setHandler } from '@temporalio/workflow';
import {
  checkApprove,
  checkSetParams,
  checkSkip,
  readApprove,
  readRetry,
  readSetParams,
  readSkip,
  Refusal,
  type RetryRequest,
  stepsToRetry,
} from '../plan/interventions.ts';
import type { JsonObject } from '../plan/json.ts';
import type { StepId } from '../plan/plan.ts';
import type { RunProgress } from '../plan/run-progress.ts';
import { stepFailure } from './failures.ts';
import {
  approveUpdate,
  pauseSignal,
  resumeSignal,
  retryUpdate,
  setParamsUpdate,
  skipUpdate,
} from './messages.ts';
import type { StepExecutor } from './step-executor.ts';

export interface InterventionsOptions {
  readonly progress: RunProgress;
  /** Undefined as long as the pipeline is being compiled. */
  readonly executor: () => StepExecutor | undefined;
  /** Compiles the pipeline with these params in place of those that it has. */
  readonly setParams: (params: JsonObject) => Promise<ParamsChange>;
}

export interface ParamsChange {
  /** Steps that run again. */
  readonly steps: readonly StepId[];
  /** All that the run has now. */
  readonly params: JsonObject;
}

/** What people do to a run that goes on: updates, each with its validator, and signals. */
export class Interventions {
  readonly #options: InterventionsOptions;
  #isHeld = false;
  #isChanging = false;
  #changes = 0;

  constructor(options: InterventionsOptions) {
    this.#options = options;
    this.#handleSignals();
    this.#handleUpdates();
    this.#handleSetParams();
  }

  /** Between the signals `pause` and `resume`. */
  get isHeld(): boolean {
    return this.#isHeld;
  }

  get mayStart(): boolean {
    return !this.#isHeld && !this.#isChanging;
  }

  /** How often `mayStart` was decided anew. */
  get changes(): number {
    return this.#changes;
  }

  #handleSignals(): void {
    const hold = (isHeld: boolean) => () => {
      this.#isHeld = isHeld;
      this.#changes += 1;
    };
    const description = 'nothing new starts until the signal resume; what runs goes on';
    setHandler(pauseSignal, hold(true), { description });
    setHandler(resumeSignal, hold(false), { description: 'ends what the signal pause began' });
  }

  #handleUpdates(): void {
    const { progress } = this.#options;
    setHandler(
      retryUpdate,
      (input?: RetryRequest) => {
        const steps = stepsToRetry(progress.state, progress.paused(), readRetry(input));
        this.#executor().retry(steps);
        return { steps };
      },
      {
        validator: refusing((input) => {
          stepsToRetry(progress.state, progress.paused(), readRetry(input));
          this.#checkUnchanging();
        }),
        description: 'tries a paused step again; without a step all that are paused',
      },
    );
    setHandler(
      approveUpdate,
      (input) => {
        const { step, ...decision } = readApprove(input);
        this.#executor().decide(step, decision);
        return { steps: [step] };
      },
      {
        validator: refusing((input) => {
          checkApprove(progress.state, progress.paused(), readApprove(input));
          this.#checkUnchanging();
        }),
        description: 'answers a step that asks: step, decision (approved, rejected), by, comment',
      },
    );
    setHandler(
      skipUpdate,
      async (input) => {
        const request = readSkip(input);
        await failing(() => this.#executor().skip(request));
        return { steps: [request.step] };
      },
      {
        validator: refusing((input) => {
          checkSkip(progress.state, readSkip(input));
          this.#checkUnchanging();
        }),
        description: 'leaves a step out, or takes outputs in place of its own: step, outputs',
      },
    );
  }

  #handleSetParams(): void {
    const { progress, setParams } = this.#options;
    setHandler(
      setParamsUpdate,
      async (input) => {
        const { params } = readSetParams(input);
        this.#isChanging = true;
        try {
          return await failing(() => setParams(params));
        } finally {
          this.#isChanging = false;
          this.#changes += 1;
        }
      },
      {
        validator: refusing((input) => {
          readSetParams(input);
          checkSetParams(progress.state);
          this.#checkUnchanging();
        }),
        description: 'changes params of a paused run; what depends on them runs again: params',
      },
    );
  }

  /** Already checked by the validators: before it there are no steps to name. */
  #executor(): StepExecutor {
    const executor = this.#options.executor();
    if (executor === undefined) throw new Error('internal: an update before the run has begun');
    return executor;
  }

  #checkUnchanging(): void {
    if (this.#isChanging) throw new Refusal('params of the run are being changed: try again');
  }
}

/** A validator whose refusals a person reads without our stack. */
function refusing(check: (input: unknown) => void): (input?: unknown) => void {
  return (input) => {
    try {
      check(input);
    } catch (error) {
      throw error instanceof Refusal ? refusal('Refused', error.message) : error;
    }
  };
}

/** The update fails, and not the run, where what it asks for cannot be done. */
async function failing<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Refusal) throw refusal('Refused', error.message);
    const { type, message } = stepFailure(error).error;
    throw refusal(type, message);
  }
}

function refusal(type: string, message: string): ApplicationFailure {
  const failure = ApplicationFailure.create({ type, message, nonRetryable: true });
  failure.stack = '';
  return failure;
}
