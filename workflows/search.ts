import {
  ApplicationFailure,
  ChildWorkflowCancellationType,
  executeChild,
  isCancellation,
  WorkflowIdReusePolicy,
  workflowInfo,
} from '@temporalio/workflow';
import type { PrepareRequest, RunIdentity } from '../activities/contract.ts';
import type { JsonObject } from '../plan/json.ts';
import { SEARCH_WORKFLOW, searchWorkflow } from '../plan/names.ts';
import type { RetryPolicy } from '../plan/plan.ts';
import { bestTrial, promoted, rungCount } from '../plan/search/halving.ts';
import { batchSize, sampling, trialCount } from '../plan/search/sampling.ts';
import type { SearchStrategy } from '../plan/search/strategy.ts';
import { SearchTable } from '../plan/search/table.ts';
import { control } from './activity-proxies.ts';
import { stepFailure, workflowFailure } from './failures.ts';
import { TrialRunner } from './trial-runner.ts';

export interface SearchInput {
  readonly run: RunIdentity;
  /** Of the step, with its search. */
  readonly request: PrepareRequest;
  readonly search: SearchStrategy;
  readonly fingerprint: string;
  readonly queue: string;
  readonly retry: RetryPolicy;
  readonly timeoutMs?: number;
}

export interface SearchResult {
  readonly outputs: JsonObject;
  readonly note: string;
}

/** Runs the search of a step as a child of the run, and waits also for its cancellation. */
export function runSearch(input: SearchInput): Promise<SearchResult> {
  return executeChild<typeof search>(SEARCH_WORKFLOW, {
    args: [input],
    workflowId: searchWorkflow(input.run.workflowId, input.request.stepId),
    cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
    // What a reset of the run left behind.
    workflowIdReusePolicy: WorkflowIdReusePolicy.WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING,
    staticSummary: input.request.stepId,
  });
}

/**
 * Runs trials of a step rung by rung: all trials of a rung end before it is decided which go on. Values
 * and decisions follow from results in the order of the trials' numbers, never from who was first.
 *
 * @throws ApplicationFailure when a trial fails for another reason than its values, or all have failed
 */
export async function search(input: SearchInput): Promise<SearchResult> {
  const { run, request, search: strategy, fingerprint } = input;
  const table = new SearchTable(strategy);
  const runner = new TrialRunner(input, table, workflowInfo().workflowId);
  try {
    await sampleTrials(strategy, table, runner);
    for (let rung = 1; rung < rungCount(strategy) && !runner.isSpent; rung++) {
      const going = promoted(strategy, table.trials, rung - 1);
      await runner.prune(going.map(({ number }) => number));
      if (going.length === 0) break;
      await runner.run(going, rung);
    }
    await runner.prune([]);
    const best = bestTrial(strategy, table.trials);
    if (best === undefined) {
      throw ApplicationFailure.nonRetryable(table.noneSucceeded(), 'InvalidInput');
    }
    const { outputs } = await control.endSearch({
      ...{ run, request, search: strategy, fingerprint },
      ...{ trials: table.trials, best: best.number },
    });
    return { outputs, note: table.note(best, runner.spent) };
  } catch (error) {
    if (isCancellation(error)) throw error;
    throw workflowFailure(stepFailure(error));
  }
}

async function sampleTrials(
  strategy: SearchStrategy,
  table: SearchTable,
  runner: TrialRunner,
): Promise<void> {
  const count = trialCount(strategy);
  while (table.trials.length < count && !runner.isSpent) {
    const first = table.trials.length;
    const size = Math.min(batchSize(strategy), count - first);
    const valuesOf = sampling(strategy, table.trials);
    const batch = Array.from({ length: size }, (_, i) => ({
      number: first + i,
      values: valuesOf(first + i),
      rungs: [],
    }));
    await runner.run(batch, 0);
  }
}
