// @ts-check
import { spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { constants as system } from 'node:os';
import { delimiter, join } from 'node:path';

const STDERR = 2;

/**
 * Runs a command to its end. What it prints goes to our stderr, or with `capture` to the result. When this
 * process is told to stop, the command is stopped first.
 * @param {string} file
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, capture?: boolean, timeoutMs?: number }} [options]
 * @returns {Promise<{ code: number | null, stdout: string, stderr: string }>} code is null when a signal ended it;
 *   rejects when the command cannot be started.
 */
export function runCommand(file, args, options = {}) {
  const child = spawn(file, args, {
    cwd: options.cwd,
    env: options.env,
    stdio: options.capture === true ? ['ignore', 'pipe', 'pipe'] : ['ignore', STDERR, STDERR],
  });
  /** @param {NodeJS.Signals} signal */
  const stop = (signal) => {
    child.kill(signal);
    process.exit(128 + system.signals[signal]);
  };
  // spawn's own `timeout` would keep this process waiting for a command that could not be started.
  const timer =
    options.timeoutMs === undefined ? undefined : setTimeout(() => child.kill(), options.timeoutMs);
  process.once('SIGINT', stop).once('SIGTERM', stop);
  const output = { stdout: '', stderr: '' };
  child.stdout?.on('data', (chunk) => (output.stdout += String(chunk)));
  child.stderr?.on('data', (chunk) => (output.stderr += String(chunk)));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, ...output }));
  }).finally(() => {
    clearTimeout(timer);
    process.off('SIGINT', stop).off('SIGTERM', stop);
  });
}

/**
 * Every executable file of that name on a PATH, in its order.
 * @param {string} name
 * @param {string | undefined} path
 * @returns {string[]}
 */
export function findOnPath(name, path) {
  return (path ?? '')
    .split(delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, name))
    .filter(isExecutableFile);
}

/** @param {string} file */
function isExecutableFile(file) {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
