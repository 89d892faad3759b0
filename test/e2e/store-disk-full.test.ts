import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  appendFile,
  mkdtemp,
  readdir,
  readFile,
  rm,
  rmdir,
  statfs,
  writeFile,
} from 'node:fs/promises';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';
import { lookUp } from '../../store/cache.ts';
import { cleanUp } from '../setup/cleanup.ts';
import { temporaryFolder } from '../setup/folders.ts';
import { startWorker } from '../setup/processes.ts';
import { testSite, type TestSite } from '../setup/temporal.ts';
import { forget, pipelineFile, submit, until } from './observed-run.ts';
import { modelUnderWay } from './worker-death.ts';

const REPORT =
  /^no space left .*: free some space on that disk.*, or set RETUNE_\w+ to a folder on a larger one$/;
const MEBIBYTE = 2 ** 20;
const DISK_MEBIBYTES = 48;

function mount(folder: string): boolean {
  const options = ['-t', 'tmpfs', '-o', `size=${DISK_MEBIBYTES}m`, 'tmpfs', folder];
  return spawnSync('mount', options).status === 0;
}

function canMount(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'retune-mount-'));
  const isMounted = mount(folder);
  if (isMounted) spawnSync('umount', [folder]);
  rmdirSync(folder);
  return isMounted;
}

/** A site whose home is on a small disk of its own. */
async function siteOnSmallDisk(): Promise<TestSite> {
  const disk = await mkdtemp(join(tmpdir(), 'retune-disk-'));
  expect(mount(disk)).toBe(true);
  cleanUp(async () => {
    spawnSync('umount', [disk]);
    await rmdir(disk);
  });
  const { env, ...site } = await testSite();
  return { ...site, home: disk, env: { ...env, RETUNE_HOME: disk } };
}

const BALLAST = 'ballast';

/** Leaves this many bytes of room on the disk of `home`. */
async function fill(home: string, leave: number): Promise<void> {
  const { bavail, bsize } = await statfs(home);
  const bytes = new Uint8Array(Math.max(0, bavail * bsize - leave));
  // The worker may take the last of it meanwhile.
  await appendFile(join(home, BALLAST), bytes).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOSPC') throw error;
  });
}

const makeRoom = (home: string): Promise<void> => rm(join(home, BALLAST));

/** Blobs whose bytes are not those that their name promises, and what was left while they were written. */
async function halfWritten(home: string): Promise<readonly string[]> {
  const blobs = join(home, 'store', 'blobs');
  const paths = await readdir(blobs, { recursive: true, withFileTypes: true });
  const damaged: string[] = await readdir(join(home, 'store', 'tmp'));
  for (const entry of paths.filter((path) => path.isFile())) {
    const bytes = await readFile(join(entry.parentPath, entry.name));
    const digest = createHash('sha256').update(bytes).digest('hex');
    if (digest !== basename(entry.name)) damaged.push(entry.name);
  }
  return damaged;
}

/** What is being written comes and goes; what was left half-written would stay. */
async function untilWhole(home: string): Promise<void> {
  await until(
    'a store without half-written files',
    async () => ((await halfWritten(home)).length === 0 ? true : undefined),
    10,
  );
}

/** training.yaml, but for its patience. */
async function patientTraining(): Promise<string> {
  const text = await readFile(pipelineFile('training'), 'utf8');
  const file = join(await temporaryFolder(), 'patient.yaml');
  const patience = 'max_attempts: 20, backoff: 1s, max_backoff: 1s';
  await writeFile(file, text.replace('max_attempts: 1', patience));
  return file;
}

test.skipIf(!canMount())(
  'a full disk is reported, and training goes on once there is room (needs the right to mount)',
  async () => {
    const site = await siteOnSmallDisk();
    const { home } = site;
    const training = await patientTraining();
    const worker = await startWorker(site);
    const run = await submit(site, 'full', training);
    const attempt = await run.untilAttempt('tune', 0, 'begun', () => true);
    await until('a checkpoint', async () =>
      (await run.checkpointSteps(attempt)).length > 0 ? true : undefined,
    );

    // Room for the ledger, but for no checkpoint.
    await fill(home, MEBIBYTE);
    const { failure } = await run.untilAttempt(
      'tune',
      0,
      'failed',
      ({ outcome }) => outcome === 'failed',
    );
    expect(failure?.type).toBe('DiskFull');
    expect(failure?.message).toMatch(REPORT);
    await untilWhole(home);
    await makeRoom(home);
    const [kept = 0] = await run.checkpointSteps(attempt);
    expect(kept).toBeGreaterThan(0);

    await until('the trained model', async () =>
      (await modelUnderWay(home)).includes('history.jsonl') ? true : undefined,
    );
    // Stopped, so that none of it is in the store before the disk is full.
    process.kill(worker.pid, 'SIGSTOP');
    expect((await lookUp(run.store, attempt.fingerprint)).hit).toBe(false);
    await fill(home, 0);
    process.kill(worker.pid, 'SIGCONT');
    const second = await until('another failure', async () => {
      const pending = await run.pending('tune');
      return pending.lastFailure === failure?.message ? undefined : pending;
    });
    expect(second.lastFailure).toMatch(REPORT);
    await untilWhole(home);

    // Now there is not even room for the ledger: what it cannot hold is tried again, uncounted.
    let before = { attempt: 0, entries: 0 };
    await until('attempts without an entry', async () => {
      await fill(home, 0);
      const { attempt: now } = await run.pending('tune');
      const entries = (await run.attempts('tune')).length;
      if (entries !== before.entries) before = { attempt: now, entries };
      return now > before.attempt + 1 ? true : undefined;
    });
    expect((await run.pending('tune')).lastFailure).toMatch(REPORT);
    await makeRoom(home);

    const { status, outputs } = await run.ended();
    expect(status).toBe('completed');
    const attempts = await run.attempts('tune');
    expect(attempts[1]?.resumedFromStep).toBe(kept);
    expect(attempts.at(-1)).toMatchObject({ attempt: before.entries + 1, outcome: 'completed' });
    await untilWhole(home);

    await forget(run.store, run.id, 'tune');
    const undisturbed = await (await submit(site, 'undisturbed', training)).ended();
    expect(undisturbed.steps['tune']?.status).toBe('completed');
    expect(undisturbed.outputs).toEqual(outputs);
  },
);
