import { rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { CancelledFailure, Context } from '@temporalio/activity';
import { z } from 'zod';
import type { JsonObject } from '../plan/json.ts';
import { Failure } from '../plan/failures.ts';
import type { ArtifactDigest } from '../plan/plan.ts';
import { verifyArtifact } from '../store/artifacts.ts';
import { lookUp, publish } from '../store/cache.ts';
import {
  countReportedFailures,
  openAttempt,
  updateAttempt,
  type AttemptKey,
  type AttemptOutcome,
} from '../store/ledger.ts';
import type { Store } from '../store/store.ts';
import type { ActivityDependencies } from './activities.ts';
import type { AnyStep } from './catalog.ts';
import type { RunStepInput, RunStepResult } from './contract.ts';
import { toApplicationFailure, toFailure } from './failures.ts';
import { declarationOf, parseInputs } from './declaration.ts';
import type { StepContext } from './step-context.ts';
import { createWorkFolder } from './work-folders.ts';

/** How often an attempt tells Temporal that it lives; the SDK sends at most one in 3 s. */
const HEARTBEAT_MS = 1_000;

/**
 * One attempt of a step: looks in the cache again, keeps the ledger, heartbeats, ends with what
 * the kind's `run` gives or with a failure that says whether Temporal tries again.
 */
export async function runStep(
  dependencies: ActivityDependencies,
  input: RunStepInput,
): Promise<RunStepResult> {
  const { store } = dependencies;
  const step = declarationOf(dependencies.catalog, input);
  if (step.effect !== 'external' && !input.force) {
    const found = await lookUp(store, input.fingerprint);
    if (found.hit) return { outputs: found.entry.outputs, attempt: 0, cached: true };
  }
  const key = await openAttempt(store, {
    ...input.run,
    step: input.stepId,
    kind: `${input.kind}@${input.version}`,
    fingerprint: input.fingerprint,
    worker: { host: hostname(), pid: process.pid, build: `revision ${input.revision}` },
    startedAt: Date.now(),
  });
  const signals = attemptSignals(dependencies, input);
  try {
    const result = await attempt(dependencies, input, step, key, signals.signal);
    await updateAttempt(store, key, { outcome: 'completed', endedAt: Date.now() });
    return { ...result, attempt: key.attempt };
  } catch (error) {
    throw await endFailedAttempt(store, input, key, signals.reason() ?? error);
  } finally {
    signals.stop();
  }
}

async function attempt(
  dependencies: ActivityDependencies,
  input: RunStepInput,
  step: AnyStep,
  key: AttemptKey,
  signal: AbortSignal,
): Promise<{ outputs: JsonObject; note?: string }> {
  const { store, env, workRoot } = dependencies;
  const temporaryDirectory = await createWorkFolder(workRoot);
  let details: JsonObject = { attempt: key.attempt };
  let note: string | undefined;
  const beat = setInterval(() => Context.current().heartbeat(details), HEARTBEAT_MS);
  const context: StepContext = {
    store,
    env,
    signal,
    run: { ...input.run, stepId: input.stepId },
    fingerprint: input.fingerprint,
    upstream: input.upstream ?? null,
    temporaryDirectory,
    progress(next) {
      details = { attempt: key.attempt, ...next };
    },
    async trainingStarted(started) {
      await updateAttempt(store, key, {
        firstOptimizerStep: { step: started.firstOptimizerStep, at: Date.now() },
        resumedFromStep: started.resumedFromStep,
      });
    },
    note(text) {
      note = text;
    },
  };
  try {
    Context.current().heartbeat(details);
    const found = await step.run(context, parseInputs(step, input.inputs));
    const outputs = checkOutputs(step, found);
    if (step.effect === 'external') return { outputs, ...(note !== undefined && { note }) };
    const published = await publish(store, {
      fingerprint: input.fingerprint,
      kind: `${input.kind}@${input.version}`,
      inputs: input.inputs,
      outputs,
      ...(input.upstream !== undefined && { upstream: input.upstream }),
      createdAt: Date.now(),
    });
    return { outputs: published.entry.outputs, ...(note !== undefined && { note }) };
  } finally {
    clearInterval(beat);
    await rm(temporaryDirectory, { recursive: true, force: true });
  }
}

function checkOutputs(step: AnyStep, found: Record<string, unknown>): JsonObject {
  const parsed = z.strictObject({ ...step.outputs }).safeParse(found);
  if (!parsed.success) {
    throw new Error(`internal: outputs of ${step.kind}: ${z.prettifyError(parsed.error)}`);
  }
  return parsed.data as JsonObject;
}

interface AttemptSignals {
  readonly signal: AbortSignal;
  /** The failure that ends the attempt, once one of the signals fired. */
  reason(): unknown;
  stop(): void;
}

/** Cancellation, shutdown and the step's timeout, as one signal. */
function attemptSignals(dependencies: ActivityDependencies, input: RunStepInput): AttemptSignals {
  const controller = new AbortController();
  const cancelled = Context.current().cancellationSignal;
  const abort = (reason: unknown): void => {
    if (!controller.signal.aborted) controller.abort(reason);
  };
  const onCancel = (): void => abort(cancelled.reason);
  const onShutdown = (): void => abort(dependencies.shutdown.reason);
  cancelled.addEventListener('abort', onCancel);
  dependencies.shutdown.addEventListener('abort', onShutdown);
  if (cancelled.aborted) onCancel();
  if (dependencies.shutdown.aborted) onShutdown();
  const timer =
    input.timeoutMs === undefined
      ? undefined
      : setTimeout(() => {
          const limit = `${input.timeoutMs ?? 0} ms`;
          const remedy = `raise 'timeout' of step '${input.stepId}'`;
          abort(new Failure('Internal', `the attempt ran past its timeout of ${limit}: ${remedy}`));
        }, input.timeoutMs);
  return {
    signal: controller.signal,
    reason: () => (controller.signal.aborted ? controller.signal.reason : undefined),
    stop() {
      clearTimeout(timer);
      cancelled.removeEventListener('abort', onCancel);
      dependencies.shutdown.removeEventListener('abort', onShutdown);
    },
  };
}

async function endFailedAttempt(
  store: Store,
  input: RunStepInput,
  key: AttemptKey,
  error: unknown,
): Promise<unknown> {
  const endedAt = Date.now();
  if (error instanceof CancelledFailure && !isWorkerShutdown(error)) {
    await updateAttempt(store, key, { outcome: 'cancelled', endedAt });
    return error;
  }
  const failure = isWorkerShutdown(error)
    ? new Failure('ShuttingDown', 'the worker is shutting down')
    : toFailure(error);
  const outcome: AttemptOutcome = failure.type === 'ShuttingDown' ? 'shutting-down' : 'failed';
  const { type, message } = failure;
  await updateAttempt(store, key, { outcome, endedAt, failure: { type, message } });
  const reported = await countReportedFailures(store, { ...input.run, step: input.stepId });
  const artifact = await unreadableInput(store, failure, input.inputs);
  return toApplicationFailure(failure, {
    retry: input.retry,
    reported,
    attempt: key.attempt,
    ...(artifact !== undefined && { artifact }),
  });
}

function isWorkerShutdown(error: unknown): boolean {
  return error instanceof CancelledFailure && error.message === 'WORKER_SHUTDOWN';
}

/** The input artifact that made the step fail, if one is gone or corrupt. */
async function unreadableInput(
  store: Store,
  failure: Failure,
  inputs: JsonObject,
): Promise<ArtifactDigest | undefined> {
  if (failure.type !== 'CorruptArtifact' && failure.type !== 'NotFound') return undefined;
  const digests = JSON.stringify(inputs).match(/sha256:[0-9a-f]{64}/g) ?? [];
  for (const digest of new Set(digests)) {
    const readable = await verifyArtifact(store, digest as ArtifactDigest).then(
      () => true,
      () => false,
    );
    if (!readable) return digest as ArtifactDigest;
  }
  return undefined;
}
