// @ts-check
import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 100;
/** No set-up takes that long: a lock this old belongs to a process whose number another one got since. */
const EXPIRY_MS = 60 * 60 * 1000;

/**
 * Does `work` while no other process that locks the same file does. The lock of a dead process is taken over.
 * @template T
 * @param {string} lockFile
 * @param {() => Promise<T>} work
 * @param {(holder: number) => void} [onWait] called once when another process holds the lock
 * @returns {Promise<T>}
 */
export async function withLock(lockFile, work, onWait) {
  mkdirSync(dirname(lockFile), { recursive: true });
  const token = `${process.pid} ${randomUUID()}`;
  for (let waited = false; !createExclusively(lockFile, token);) {
    const holder = readHolder(lockFile);
    if (holder === null) continue;
    if (isGone(holder, lockFile)) {
      removeLockOf(holder, lockFile);
      continue;
    }
    if (!waited) onWait?.(holder.pid);
    waited = true;
    await delay(POLL_MS);
  }
  const release = () => rmSync(lockFile, { force: true });
  process.once('exit', release);
  try {
    return await work();
  } finally {
    process.off('exit', release);
    release();
  }
}

/**
 * @param {string} file
 * @param {string} content
 * @returns {boolean} false when the file is there already
 */
function createExclusively(file, content) {
  try {
    writeFileSync(file, content, { flag: 'wx' });
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/** @typedef {{ token: string, pid: number }} Holder */

/**
 * @param {string} lockFile
 * @returns {Holder | null} null when there is no lock
 */
function readHolder(lockFile) {
  try {
    const token = readFileSync(lockFile, 'utf8');
    return { token, pid: Number.parseInt(token, 10) };
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  }
}

/**
 * @param {Holder} holder
 * @param {string} lockFile
 */
function isGone(holder, lockFile) {
  const age = Date.now() - (statSync(lockFile, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
  if (age > EXPIRY_MS) return true;
  // Created but not written yet: its holder is between two system calls, or died there.
  if (Number.isNaN(holder.pid)) return age > 10 * POLL_MS;
  try {
    process.kill(holder.pid, 0);
    return false;
  } catch (error) {
    return codeOf(error) === 'ESRCH';
  }
}

/**
 * Removes the lock of a dead holder, and never that of its successor: one process at a time may remove the
 * lock of this very holder, and it looks again once it is the one.
 * @param {Holder} holder
 * @param {string} lockFile
 */
function removeLockOf(holder, lockFile) {
  const claim = `${lockFile}.${holder.token.split(' ')[1] ?? 'unwritten'}`;
  if (!createExclusively(claim, '')) return;
  try {
    if (readHolder(lockFile)?.token === holder.token) rmSync(lockFile, { force: true });
  } finally {
    rmSync(claim, { force: true });
  }
}

/** @param {unknown} error */
function codeOf(error) {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
