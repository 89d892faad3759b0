// Entry of a training process: runs one job for its parent, and never outlives it.
import { readTokenizedSplit } from '../data/tokenized-dataset.ts';
import { Failure } from '../plan/failures.ts';
import { systemFailure } from '../plan/system-failure.ts';
import { openStore } from '../store/open.ts';
import { classWeights } from './class-weights.ts';
import { requireDevice } from './devices/device-probe.ts';
import { evaluate } from './evaluate.ts';
import { writeFreshModel } from './fresh-model.ts';
import type {
  ChildMessage,
  EvaluateJob,
  Job,
  JobResults,
  ParentMessage,
  TrainJob,
} from './jobs.ts';
import { loadRuntime } from './runtime/runtime.ts';
import { train } from './train.ts';

const controller = new AbortController();

// The parent was killed: what is not in the store is lost, and its successor begins from there.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
// A terminal or a supervisor signals the whole group; the parent decides what that means for us.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);

process.on('message', (message: ParentMessage) => {
  if (message.kind === 'abort') controller.abort();
  else void answer(message.job);
});

async function answer(job: Job): Promise<void> {
  const last = await run(job).then(
    (result): ChildMessage => ({ kind: 'result', result }),
    (error: unknown): ChildMessage => failureMessage(error),
  );
  process.send?.(last, () => process.exit(0));
}

function run(job: Job): Promise<JobResults[Job['kind']]> {
  switch (job.kind) {
    case 'train':
      return runTrain(job);
    case 'evaluate':
      return runEvaluate(job);
    case 'initialize':
      return writeFreshModel(job);
    case 'probe':
      return requireDevice(loadRuntime(), job.device, job.precision).then(() => null);
  }
}

async function runTrain(job: TrainJob): Promise<JobResults['train']> {
  const { kind, trainFile, evalFile, checkpoints, replay, classWeights: choice, ...rest } = job;
  const trainRows = await readTokenizedSplit(trainFile);
  return train({
    ...rest,
    trainRows,
    ...(evalFile !== undefined && { evalRows: await readTokenizedSplit(evalFile) }),
    ...(replay !== undefined && {
      replay: { rows: await readTokenizedSplit(replay.file), fraction: replay.fraction },
    }),
    ...(choice !== undefined && { classWeights: classWeights(choice, job.labels, trainRows) }),
    ...(checkpoints !== undefined && {
      checkpoints: { ...checkpoints, store: await openStore(checkpoints.storeUrl) },
    }),
    signal: controller.signal,
    onEvent: (event) => send({ kind: 'event', event }),
  });
}

async function runEvaluate(job: EvaluateJob): Promise<JobResults['evaluate']> {
  const { kind, file, ...rest } = job;
  const rows = await readTokenizedSplit(file);
  return evaluate({
    ...rest,
    rows,
    signal: controller.signal,
    onProgress: (rowsDone) =>
      send({ kind: 'event', event: { kind: 'prediction', rowsDone, rows: rows.ids.length } }),
  });
}

function send(message: ChildMessage): void {
  process.send?.(message);
}

function failureMessage(error: unknown): ChildMessage {
  if (error === controller.signal.reason) return { kind: 'aborted' };
  const known = error instanceof Failure ? error : systemFailure(error);
  if (known !== undefined) return { kind: 'failure', type: known.type, message: known.message };
  // What no failure explains is ours: the stack is what helps.
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { kind: 'failure', type: 'Internal', message };
}
