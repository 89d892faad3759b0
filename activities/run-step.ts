import { rm } from 'node:fs/promises';
import { CancelledFailure, Context } from '@temporalio/activity';
import { z } from 'zod';
import type { JsonObject } from '../plan/json.ts';
import { Failure } from '../plan/failures.ts';
import type { ArtifactDigest } from '../plan/plan.ts';
import { verifyArtifact } from '../store/artifacts.ts';
import { type CacheEntry, lookUp, publish } from '../store/cache.ts';
import { countReportedFailures } from '../store/ledger.ts';
import type { Leases } from '../store/leases.ts';
import type { Store } from '../store/store.ts';
import { pruneCheckpoints } from '../training/checkpoints/checkpoint-store.ts';
import type { ActivityDependencies } from './activities.ts';
import { AttemptEntry, outcomeOf } from './attempt-entry.ts';
import { bindSecrets } from './bound-inputs.ts';
import { isKept, isUncached, tooOld } from './cache-policy.ts';
import type { AnyStep } from './catalog.ts';
import type { RunStepInput, RunStepResult } from './contract.ts';
import { endOfAttempt, toApplicationFailure, toFailure, uncounted } from './failures.ts';
import { declarationOf } from './declaration.ts';
import { guardedStore, requireNoSecret } from './guarded-store.ts';
import { startHeartbeat } from './heartbeat.ts';
import { settledInputs } from './step-device.ts';
import type { StepContext } from './step-context.ts';
import { StepLease } from './step-lease.ts';
import { createWorkFolder } from './work-folders.ts';

export interface StepDependencies extends ActivityDependencies {
  readonly leases: Leases;
}

/**
 * One attempt of a step: looks in the cache again, takes the lease of its fingerprint, keeps the
 * ledger, heartbeats, ends with what the kind's `run` gives or with a failure that says whether
 * Temporal tries again.
 */
export async function runStep(
  dependencies: StepDependencies,
  input: RunStepInput,
): Promise<RunStepResult> {
  const { store } = dependencies;
  const step = declarationOf(dependencies.catalog, input);
  if (step.effect === 'external') return execute(dependencies, input, step);
  const published = await cachedResult(store, input);
  if (published !== undefined) return published;
  if (isUncached(input)) return execute(dependencies, input, step);
  const lease = await StepLease.take(dependencies.leases, input);
  try {
    const since = lease.isTakenOver ? await cachedResult(store, input) : undefined;
    return since ?? (await execute(dependencies, input, step, lease));
  } finally {
    await lease.release();
  }
}

async function cachedResult(store: Store, input: RunStepInput): Promise<RunStepResult | undefined> {
  const published = await usableResult(store, input);
  if (published === undefined) return undefined;
  await pruneCheckpoints(store, input.fingerprint);
  return { outputs: published.outputs, attempt: 0, cached: true };
}

async function execute(
  dependencies: ActivityDependencies,
  input: RunStepInput,
  step: AnyStep,
  lease?: StepLease,
): Promise<RunStepResult> {
  const { store } = dependencies;
  const entry = await openEntry(store, input);
  const signals = attemptSignals(dependencies, input, lease?.lost);
  try {
    const result = await attempt(dependencies, { input, step, lease }, entry, signals);
    await entry.end({ outcome: 'completed', endedAt: Date.now() });
    return { ...result, attempt: entry.key.attempt };
  } catch (error) {
    const end = endOfAttempt(signals.reason() ?? error, dependencies.redactor);
    throw await endFailedAttempt(store, input, entry, end);
  } finally {
    signals.stop();
  }
}

/** The result that stands for the step, if there is one. */
async function usableResult(store: Store, input: RunStepInput): Promise<CacheEntry | undefined> {
  if (isUncached(input)) return undefined;
  const found = await lookUp(store, input.fingerprint);
  return found.hit && tooOld(input, found.entry) === undefined ? found.entry : undefined;
}

/** Opens the ledger's entry; without one nothing can be counted, so that is tried until it works. */
async function openEntry(store: Store, input: RunStepInput): Promise<AttemptEntry> {
  try {
    return await AttemptEntry.open(store, { ...input, startedAt: Date.now() });
  } catch (error) {
    throw uncounted(toFailure(error), input.retry);
  }
}

interface Attempted {
  readonly input: RunStepInput;
  readonly step: AnyStep;
  readonly lease: StepLease | undefined;
}

async function attempt(
  dependencies: ActivityDependencies,
  { input, step, lease }: Attempted,
  entry: AttemptEntry,
  { signal, timedOut }: AttemptSignals,
): Promise<{ outputs: JsonObject; note?: string }> {
  const { store, env, workRoot, redactor } = dependencies;
  const temporaryDirectory = await createWorkFolder(workRoot);
  const number = entry.key.attempt;
  let details: JsonObject = { attempt: number };
  let note: string | undefined;
  const stopHeartbeat = startHeartbeat(() => details);
  const context: Omit<StepContext, 'store'> = {
    env,
    signal,
    run: { ...input.run, stepId: input.stepId },
    fingerprint: input.fingerprint,
    upstream: input.upstream ?? null,
    ...(input.decision !== undefined && { decision: input.decision }),
    temporaryDirectory,
    progress(next) {
      details = { attempt: number, ...redactor.value(next) };
    },
    record: (progress) => entry.record(progress),
    note(said) {
      const text = redactor.text(said);
      note = note === undefined ? text : `${note}; ${text}`;
    },
  };
  try {
    const { inputs, secrets } = await bindSecrets(input, dependencies);
    const own = { ...context, store: guardedStore(store, secrets) };
    const found = await step.run(own, await settledInputs(store, step, input, inputs));
    // A result that comes too late is none.
    timedOut.throwIfAborted();
    const outputs = checkOutputs(step, found);
    requireSmall(outputs);
    requireNoSecret(secrets, outputs, 'what it puts out');
    if (step.effect === 'external') return { outputs, ...(note !== undefined && { note }) };
    const result = {
      fingerprint: input.fingerprint,
      kind: `${input.kind}@${input.version}`,
      inputs: input.inputs,
      outputs,
      ...(input.upstream !== undefined && { upstream: input.upstream }),
      createdAt: Date.now(),
    };
    await lease?.requireHeld();
    const published = await publish(store, result, (before) => isKept(input, before));
    // Not before: until there is a result, another attempt may need them.
    await pruneCheckpoints(store, input.fingerprint);
    return { outputs: published.entry.outputs, ...(note !== undefined && { note }) };
  } finally {
    stopHeartbeat();
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

/** They travel in the history of every run that has the result, many in one message. */
const MAX_OUTPUT_BYTES = 256 * 1024;

function requireSmall(outputs: JsonObject): void {
  const bytes = Buffer.byteLength(JSON.stringify(outputs));
  if (bytes <= MAX_OUTPUT_BYTES) return;
  throw new Failure(
    'InvalidInput',
    `the outputs of the step hold ${bytes} bytes; expected at most ${MAX_OUTPUT_BYTES}: put what is large into an artifact, as a dataset or a file`,
  );
}

interface AttemptSignals {
  readonly signal: AbortSignal;
  /** Of these the step's timeout alone. */
  readonly timedOut: AbortSignal;
  /** The failure that ends the attempt, once one of the signals fired. */
  reason(): unknown;
  stop(): void;
}

/** Cancellation, shutdown, a lost lease and the step's timeout, as one signal. */
function attemptSignals(
  dependencies: ActivityDependencies,
  input: RunStepInput,
  lost?: AbortSignal,
): AttemptSignals {
  const controller = new AbortController();
  const late = new AbortController();
  const cancelled = Context.current().cancellationSignal;
  const sources = [cancelled, dependencies.shutdown, late.signal, ...(lost ? [lost] : [])];
  // The first reason counts: aborting again does nothing.
  const followed = sources.map((source) => {
    const onAbort = (): void => controller.abort(source.reason);
    source.addEventListener('abort', onAbort);
    if (source.aborted) onAbort();
    return () => source.removeEventListener('abort', onAbort);
  });
  const timer =
    input.timeoutMs === undefined
      ? undefined
      : setTimeout(() => {
          const limit = `${input.timeoutMs ?? 0} ms`;
          const remedy = `raise 'timeout' of step '${input.stepId}'`;
          const message = `the attempt ran past its timeout of ${limit}: ${remedy}`;
          late.abort(new Failure('Internal', message));
        }, input.timeoutMs);
  return {
    signal: controller.signal,
    timedOut: late.signal,
    reason: () => (controller.signal.aborted ? controller.signal.reason : undefined),
    stop() {
      clearTimeout(timer);
      for (const unfollow of followed) unfollow();
    },
  };
}

async function endFailedAttempt(
  store: Store,
  input: RunStepInput,
  entry: AttemptEntry,
  end: Failure | CancelledFailure,
): Promise<unknown> {
  try {
    await entry.end({ endedAt: Date.now(), ...outcomeOf(end) });
    // An attempt that was thought lost may end after another one: its checkpoints are of no use.
    const published = await usableResult(store, input);
    if (published !== undefined) await pruneCheckpoints(store, input.fingerprint);
    if (end instanceof CancelledFailure) return end;
    const { attempt, ...step } = entry.key;
    const reported = await countReportedFailures(store, step, input.countedAfter);
    const artifact = await unreadableInput(store, end, input.inputs);
    return toApplicationFailure(end, {
      ...{ retry: input.retry, reported, attempt },
      ...(artifact !== undefined && { artifact }),
    });
  } catch {
    // What is to be told is the end of the step, not that the ledger could not take it.
    return end instanceof CancelledFailure ? end : uncounted(end, input.retry);
  }
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
