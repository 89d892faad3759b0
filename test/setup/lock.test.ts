import { readFileSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { PROJECT_ROOT } from '../../setup/dependencies.mjs';
import { withLock } from '../../setup/lock.mjs';
import { temporaryFolder } from './folders.ts';
import { TestProcess } from './processes.ts';

test('of several processes one at a time works; a killed holder stops nobody', async () => {
  const folder = await temporaryFolder();
  const counter = join(folder, 'counter');
  writeFileSync(counter, '0');
  const killed = startWork(
    folder,
    "console.log('working'); await new Promise(() => setInterval(() => {}, 60_000));",
  );
  await killed.untilPrinted(/working/);
  const increment = `
    const count = Number(readFileSync('counter', 'utf8'));
    await new Promise(setImmediate);
    writeFileSync('counter', String(count + 1));`;
  const workers = Array.from({ length: 4 }, () => startWork(folder, increment));
  await Promise.all(workers.map((worker) => worker.untilPrinted(/waiting/)));
  expect(readFileSync(counter, 'utf8')).toBe('0');
  await killed.end('SIGKILL');
  expect(await Promise.all(workers.map((worker) => worker.exited))).toEqual(
    workers.map(() => ({ code: 0, signal: null })),
  );
  expect(readFileSync(counter, 'utf8')).toBe('4');
  expect(readdirSync(folder)).toEqual(['counter']);
});

test('a lock that nobody renews is taken over, even if there is a process of that number', async () => {
  const folder = await temporaryFolder();
  const lockFile = join(folder, 'lock');
  writeFileSync(lockFile, `${process.pid} left-by-another`);
  const longAgo = Date.now() / 1000 - 60;
  utimesSync(lockFile, longAgo, longAgo);
  expect(await withLock(lockFile, async () => 'done')).toBe('done');
  expect(readdirSync(folder)).toEqual([]);
});

function startWork(folder: string, work: string): TestProcess {
  const script = `
    import { readFileSync, writeFileSync } from 'node:fs';
    import { withLock } from ${JSON.stringify(join(PROJECT_ROOT, 'setup', 'lock.mjs'))};
    await withLock('lock', async () => { ${work} }, () => console.log('waiting'));`;
  const args = ['--input-type=module', '--eval', script];
  return new TestProcess(process.execPath, args, { cwd: folder });
}
