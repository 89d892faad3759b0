import {
  ApplicationFailure,
  CancellationScope,
  ChildWorkflowCancellationType,
  executeChild,
  setCurrentDetails,
  WorkflowIdReusePolicy,
} from '@temporalio/workflow';
import type { JsonObject } from '../plan/json.ts';
import { TRIAL_WORKFLOW, trialStep, trialWorkflow } from '../plan/names.ts';
import { rungCount, stepsOfRung, trialInputs } from '../plan/search/halving.ts';
import type { Trial } from '../plan/search/strategy.ts';
import type { SearchTable } from '../plan/search/table.ts';
import { control } from './activity-proxies.ts';
import type { SearchInput } from './search.ts';
import type { trial, TrialResult } from './trial.ts';

/** Runs the trials of a search, as many at once as it allows and as its budget lasts. */
export class TrialRunner {
  readonly #input: SearchInput;
  readonly #table: SearchTable;
  readonly #workflowId: string;
  readonly #beganAt = Date.now();
  /** Where trials left checkpoints, by the trial's number. */
  readonly #checkpoints = new Map<number, string>();
  #steps = 0;
  #spent: 'steps' | 'time' | undefined;

  constructor(input: SearchInput, table: SearchTable, workflowId: string) {
    this.#input = input;
    this.#table = table;
    this.#workflowId = workflowId;
  }

  /** Which part of the budget was used up, so that something did not run. */
  get spent(): 'steps' | 'time' | undefined {
    return this.#spent;
  }

  get isSpent(): boolean {
    return this.#spent !== undefined;
  }

  /**
   * Runs trials up to a rung; resolves when all have ended that the budget let begin.
   *
   * @param trials in the order in which they begin
   * @throws ApplicationFailure of the first that failed for another reason than its values, once all have ended
   */
  async run(trials: readonly Trial[], rung: number): Promise<void> {
    const waiting = [...trials];
    const failures: { readonly number: number; readonly error: unknown }[] = [];
    const scope = new CancellationScope();
    const work = async (): Promise<void> => {
      for (;;) {
        const next = failures.length === 0 ? waiting.shift() : undefined;
        if (next === undefined) return;
        try {
          if (!this.#afford(next, rung)) return;
          const result = await this.#execute(next, rung);
          this.#note(next, result);
        } catch (error) {
          failures.push({ number: next.number, error });
          scope.cancel();
        }
      }
    };
    const workers = Math.min(this.#input.search.maxParallel, trials.length);
    await scope.run(() => Promise.all(Array.from({ length: workers }, work)));
    const [first] = failures;
    if (first !== undefined) throw first.error;
  }

  /** Deletes the checkpoints of all trials but these. */
  async prune(kept: readonly number[]): Promise<void> {
    const rest = [...this.#checkpoints].filter(([number]) => !kept.includes(number));
    if (rest.length === 0) return;
    for (const [number] of rest) this.#checkpoints.delete(number);
    await control.pruneTrials({ checkpointKeys: rest.map(([, key]) => key) });
  }

  /** Whether the budget lasts for a trial; then its steps are taken from it. */
  #afford(trial: Trial, rung: number): boolean {
    const { search, request } = this.#input;
    const { steps, timeMs } = search.budget ?? {};
    if (this.#spent !== undefined) return false;
    if (timeMs !== undefined && Date.now() - this.#beganAt >= timeMs) this.#spent = 'time';
    if (steps !== undefined) {
      const inputs = trialInputs(request.inputs, search, trial, rung);
      this.#steps += this.#stepsOf(inputs, rung);
      if (this.#steps > steps) this.#spent = 'steps';
    }
    return this.#spent === undefined;
  }

  #stepsOf(inputs: JsonObject, rung: number): number {
    try {
      return stepsOfRung(this.#input.search, inputs, rung);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      throw ApplicationFailure.nonRetryable(message, 'InvalidInput');
    }
  }

  #note(trial: Trial, result: TrialResult): void {
    this.#table.add(trial, result);
    setCurrentDetails(this.#table.details());
    const key = result.kind === 'completed' ? result.checkpointKey : undefined;
    if (key !== undefined) this.#checkpoints.set(trial.number, key);
  }

  #execute(next: Trial, rung: number): Promise<TrialResult> {
    const { run, request, search, queue, retry, timeoutMs } = this.#input;
    const { search: _, stepId, ...rest } = request;
    const shown = rungCount(search) === 1 ? undefined : rung;
    const id = trialStep(stepId, next.number, shown);
    return executeChild<typeof trial>(TRIAL_WORKFLOW, {
      args: [
        {
          ...{ run, queue, retry, metric: search.metric },
          request: {
            ...{ ...rest, stepId: id },
            inputs: trialInputs(request.inputs, search, next, rung),
          },
          ...(timeoutMs !== undefined && { timeoutMs }),
        },
      ],
      workflowId: trialWorkflow(this.#workflowId, next.number, shown),
      cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
      workflowIdReusePolicy: WorkflowIdReusePolicy.WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING,
      staticSummary: id,
    });
  }
}
