// @ts-check
// node cli/process-guard.mjs [--lock FILE --note TEXT] -- COMMAND [ARGS...]
// Runs a command for as long as this process's stdin stays open. A parent holds the other end of that pipe;
// however the parent ends, SIGKILL included, the pipe closes and the command is stopped: SIGTERM, then SIGKILL.
// The exit code is the command's. With --lock no two guards of one file run at once: the second one waits while
// the first is stopping, and otherwise ends with LOCKED_EXIT_CODE after printing the first one's note.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { parseArgs } from 'node:util';
import { acquireLock, isAlive } from '../setup/lock.mjs';

const GRACE_MS = 5_000;
const LOCKED_EXIT_CODE = 75;

const { values, positionals } = parseArgs({
  options: { lock: { type: 'string' }, note: { type: 'string', default: '' } },
  allowPositionals: true,
});
const [command, ...args] = positionals;
if (command === undefined) throw new Error('internal: process-guard.mjs without a command');

/** @type {import('node:child_process').ChildProcess | null} */
let child = null;
let stopping = false;
process.stdin.resume().once('end', stop).once('error', stop);
process.on('SIGTERM', stop).on('SIGINT', stop).on('SIGHUP', stop);

if (values.lock !== undefined) {
  await acquireLock(values.lock, `${process.ppid} ${values.note}`, (holder) => {
    const [parent = '', ...note] = holder.note.split(' ');
    if (!isAlive(Number(parent))) return;
    process.stderr.write(`${note.join(' ')}\n`);
    process.exit(LOCKED_EXIT_CODE);
  });
}
if (stopping) process.exit(0);

child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
child.once('error', (error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(127);
});
child.once('exit', (code, signal) => {
  process.exit(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
});

function stop() {
  if (stopping) return;
  stopping = true;
  if (child === null) return;
  child.kill('SIGTERM');
  setTimeout(() => child?.kill('SIGKILL'), GRACE_MS).unref();
}
