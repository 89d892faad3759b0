import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { JsonObject } from '../../plan/json.ts';
import type { RunState } from '../../plan/plan.ts';
import { artifactFile, readManifest } from '../../store/artifacts.ts';
import type { AttemptRecord } from '../../store/ledger.ts';
import { readAttempts } from '../../store/ledger.ts';
import type { ArtifactDigest } from '../../store/store.ts';
import { withCleanUp } from '../setup/cleanup.ts';
import { temporaryFolder } from '../setup/folders.ts';
import { retune, startWorker } from '../setup/processes.ts';
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

/** What `retune plan --json` says of a step. */
function stepOf(document: string, step: string): unknown {
  const { steps } = JSON.parse(document) as { steps: readonly { id: string }[] };
  return steps.find(({ id }) => id === step);
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
  expect(lengths.toSorted((a, b) => a - b)).toEqual([1, 1, 2, 3]);
  const best = lengths.indexOf(3);
  const { outputs, note } = state.steps['tune']!;
  const { parameters, value } = rows[best] as {
    parameters: Record<string, number>;
    value: number;
  };
  expect(outputs).toMatchObject({
    best_trial: best,
    best_parameters: parameters,
    metrics: { eval_loss: value },
  });
  const rate = shown(parameters['args.learning_rate']!);
  expect(note).toBe(
    `trial ${best} of 4 is best: args.learning_rate=${rate}; metrics.eval_loss ${value}`,
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

  const planned = await retune(site, ['plan', SEARCH, '--json']);
  expect(stepOf(planned.stdout, 'tune')).toMatchObject({ outcome: 'hit' });
  const text = await readFile(SEARCH, 'utf8');
  const file = join(await temporaryFolder(), 'more.yaml');
  await writeFile(file, text.replace('max_trials: 4', 'max_trials: 5'));
  const more = await retune(site, ['plan', file, '--json']);
  expect(stepOf(more.stdout, 'tune')).toMatchObject({
    ...{ outcome: 'run', reasons: ['search.max_trials: 4 -> 5'] },
  });
});

test('a budget of steps lets no trial begin that would pass it', async () => {
  const text = await readFile(SEARCH, 'utf8');
  const file = join(await temporaryFolder(), 'budget.yaml');
  const scheduler = 'scheduler: { type: asha, eta: 2, min_steps: 40, max_steps: 160 }';
  expect(text).toContain(scheduler);
  // Two trials take 80 steps, a third would make it 120.
  await writeFile(file, text.replace(scheduler, `${scheduler}\n        budget: { steps: 100 }`));
  const run = await submit(site, 'budget', file);
  const { steps, outputs } = await run.ended();
  expect(steps['tune']?.note).toMatch(
    /^trial \d of 2 is best: .*; its budget of steps is used up; 2 of 2 results from the cache$/,
  );
  const whole = await tableOf(quiet, state.outputs['trials']);
  const rows = await tableOf(run, outputs['trials']);
  expect(rows.map(({ parameters }) => parameters)).toEqual(
    whole.slice(0, 2).map(({ parameters }) => parameters),
  );
  expect(await trialsOf(run)).toEqual([]);
});

test('while it runs, show tells of a trial', async () => {
  const text = await readFile(SEARCH, 'utf8');
  const file = join(await temporaryFolder(), 'long.yaml');
  await writeFile(
    file,
    text.replace(/min_steps: 40, max_steps: 160/, 'min_steps: 9000, max_steps: 9000'),
  );
  const run = await submit(site, 'long', file);
  const shown = await until('live details of a trial', async () => {
    const { stdout } = await retune(site, ['show', 'long']);
    return /^tune .*$/m.exec(stdout)?.[0].match(/running .*trial \d, step \d+\/9000, loss .*/)?.[0];
  });
  expect(shown).toMatch(/ left$/);
  await temporal(site, ['workflow', 'cancel', '--workflow-id', 'long']);
  expect((await run.ended()).status).toBe('cancelled');
});

describe.concurrent('on a site of its own', () => {
  test('killed workers change nothing: same trials, same winner, same bytes', () =>
    withCleanUp(async () => {
      const other = await testSite();
      let worker = await startWorker(other);
      const run = await submit(other, 'killed', SEARCH);
      // In the middle of a first rung, and of the last one of the winner.
      const best = state.steps['tune']!.outputs!['best_trial'] as number;
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
