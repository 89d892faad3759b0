import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import type { JsonObject } from '../../plan/json.ts';
import type { RunState } from '../../plan/plan.ts';
import { artifactFile, readManifest } from '../../store/artifacts.ts';
import type { AttemptRecord } from '../../store/ledger.ts';
import { readAttempts } from '../../store/ledger.ts';
import type { ArtifactDigest } from '../../store/store.ts';
import { withCleanUp } from '../setup/cleanup.ts';
import { startWorker } from '../setup/processes.ts';
import { testSite, type TestSite } from '../setup/temporal.ts';
import { type ObservedRun, pipelineFile, submit, until } from './observed-run.ts';
import { temporal, temporalJson } from './temporal-cli.ts';
import { killWorker } from './worker-death.ts';

const SEARCH = pipelineFile('search');
/** Optimizer steps at which its rungs end. */
const RUNGS = [40, 80, 160];

let site: TestSite;
let quiet: ObservedRun;
let state: RunState;

beforeAll(async () => {
  site = await testSite();
  await startWorker(site);
  quiet = await submit(site, 'quiet', SEARCH);
  state = await quiet.ended();
  expect(state.status).toBe('completed');
}, 300_000);

/** What the ledger has of trials, in the order in which they began. */
async function trialsOf(run: ObservedRun): Promise<readonly AttemptRecord[]> {
  const attempts = await readAttempts(run.store, { workflowId: run.id });
  return attempts.filter(({ step }) => step.startsWith('tune'));
}

async function tableOf(run: ObservedRun, trials: unknown): Promise<readonly JsonObject[]> {
  const manifest = await readManifest(run.store, trials as ArtifactDigest);
  const text = await readFile(await artifactFile(run.store, manifest, 'trials.jsonl'), 'utf8');
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as JsonObject);
}

test('trials go on from rung to rung, and the best one is the result', async () => {
  const rows = await tableOf(quiet, state.outputs['trials']);
  expect(rows.map(({ trial, status }) => [trial, status])).toEqual(
    [0, 1, 2, 3].map((trial) => [trial, 'completed']),
  );
  const lengths = rows.map(({ rungs }) => (rungs as unknown[]).length);
  expect(lengths.toSorted()).toEqual([1, 1, 2, 3]);
  const best = lengths.indexOf(3);
  const { outputs, note } = state.steps['tune']!;
  const { args, parameters } = { args: 'args.learning_rate', ...rows[best]! } as unknown as {
    args: string;
    parameters: Record<string, number>;
  };
  expect(outputs).toMatchObject({
    best_trial: best,
    best_parameters: parameters,
    metrics: { eval_loss: rows[best]!['value'] },
  });
  expect(note).toBe(
    `trial ${best} of 4 is best: ${args}=${shown(parameters[args]!)}; metrics.eval_loss ${String(rows[best]!['value'])}`,
  );
  // Each at a rung once, from where the one before ended.
  const attempts = await trialsOf(quiet);
  for (const { step, outcome, resumedFromStep, lastOptimizerStep } of attempts) {
    const rung = Number(/rung (\d)\)$/.exec(step)?.[1]);
    expect({ step, outcome, resumedFromStep, reached: lastOptimizerStep?.step }).toEqual({
      ...{ step, outcome: 'completed' },
      ...{ resumedFromStep: RUNGS[rung - 1] ?? 0, reached: RUNGS[rung] },
    });
  }
  expect(attempts.map(({ step }) => step.slice(-7)).toSorted()).toEqual([
    ...[0, 0, 0, 0, 1, 1, 2].map((rung) => `rung ${rung})`),
  ]);
  expect(await quiet.store.listRefs('checkpoints')).toEqual([]);
});

test('submitted again it trains nothing', async () => {
  const again = await submit(site, 'again', SEARCH);
  const { steps, outputs } = await again.ended();
  expect(steps['tune']).toMatchObject({ status: 'cached', outputs: state.steps['tune']!.outputs! });
  expect(outputs).toEqual(state.outputs);
  expect(await trialsOf(again)).toEqual([]);
});

describe.concurrent('on a site of its own', () => {
  test('killed workers change nothing: same trials, same winner, same bytes', () =>
    withCleanUp(async () => {
      const other = await testSite();
      let worker = await startWorker(other);
      const run = await submit(other, 'killed', SEARCH);
      // In the middle of a first rung, and of the last one of the winner.
      const best = String(state.steps['tune']!.outputs!['best_trial']);
      for (const step of ['tune (trial 1, rung 0)', `tune (trial ${best}, rung 2)`]) {
        await run.untilAttempt(step, 0, 'in training', (at) => at.firstOptimizerStep != null);
        await killWorker(worker);
        worker = await startWorker(other);
      }
      const ended = await run.ended();
      expect(ended.outputs).toEqual(state.outputs);
      // But for the history of the training, which tells how fast it went.
      const history = expect.any(String) as string;
      expect(ended.steps['tune']!.outputs).toEqual({ ...state.steps['tune']!.outputs, history });
      const lost = (await trialsOf(run)).filter(({ outcome }) => outcome === undefined);
      expect(lost.map(({ step }) => step)).toEqual(
        expect.arrayContaining(['tune (trial 1, rung 0)', `tune (trial ${best}, rung 2)`]),
      );
      const last = (await run.attempts(`tune (trial ${best}, rung 2)`)).at(-1);
      expect(last).toMatchObject({ outcome: 'completed', lastOptimizerStep: { step: 160 } });
      expect(last!.resumedFromStep).toBeGreaterThanOrEqual(RUNGS[1]!);
    }));

  test('cancelled with its run it leaves a checkpoint, and nothing that runs', () =>
    withCleanUp(async () => {
      const other = await testSite();
      await startWorker(other);
      const run = await submit(other, 'cancelled', SEARCH);
      const attempt = await until('a trial in training', async () =>
        (await trialsOf(run)).find(({ lastOptimizerStep: at }) => (at?.step ?? 0) > 2),
      );
      await temporal(other, ['workflow', 'cancel', '--workflow-id', 'cancelled']);
      const ended = await run.ended();
      expect([ended.status, ended.steps['tune']?.status]).toEqual(['cancelled', 'cancelled']);
      const open = await temporalJson(other, [
        ...['workflow', 'list', '--query', "ExecutionStatus = 'Running'"],
      ]);
      expect(open).toEqual([]);
      const { outcome } = (await run.attempts(attempt.step)).at(-1)!;
      expect(outcome).toMatch(/^(cancelled|completed)$/);
      expect(await run.store.listRefs('checkpoints')).not.toEqual([]);

      // Submitted again it goes on from there.
      const resumed = await submit(other, 'cancelled', SEARCH);
      expect((await resumed.ended()).outputs).toEqual(state.outputs);
      if (outcome === 'cancelled') {
        const next = (await run.attempts(attempt.step)).at(-1)!;
        expect(next.resumedFromStep).toBeGreaterThan(0);
      }
    }));
});

function shown(value: number): string {
  return Math.abs(value) < 1e-3 ? value.toExponential().replace('+', '') : String(value);
}
