// @ts-check
import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, statSync, utimes, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 100;
const RENEW_MS = 5_000;
/** A lock not renewed for this long is nobody's, even if another process got its holder's number since. */
const EXPIRY_MS = 30_000;

/** @typedef {{ token: string, pid: number, note: string }} Holder */

/**
 * Does `work` while no other process that locks the same file does.
 * @template T
 * @param {string} lockFile
 * @param {() => Promise<T>} work
 * @param {(holder: Holder) => void} [onWait] called once when another process holds the lock
 * @returns {Promise<T>}
 */
export async function withLock(lockFile, work, onWait) {
  let told = false;
  const release = await acquireLock(lockFile, '', (holder) => {
    if (!told) onWait?.(holder);
    told = true;
  });
  try {
    return await work();
  } finally {
    release();
  }
}

/**
 * Takes a lock that lasts until it is released or this process ends; that of a dead process is taken over.
 * @param {string} lockFile
 * @param {string} note for the eyes of others who want the lock
 * @param {(holder: Holder) => void} onHeld called again and again while another process holds it; throws to give up
 * @returns {Promise<() => void>} releases it
 */
export async function acquireLock(lockFile, note, onHeld) {
  mkdirSync(dirname(lockFile), { recursive: true });
  const token = `${process.pid} ${randomUUID()}`;
  while (!createExclusively(lockFile, `${token} ${note}`)) {
    const holder = readHolder(lockFile);
    if (holder === null) continue;
    if (isGone(holder, lockFile)) removeLockOf(holder, lockFile);
    else onHeld(holder);
    await delay(POLL_MS);
  }
  const renewal = setInterval(() => renew(lockFile), RENEW_MS).unref();
  const remove = () => rmSync(lockFile, { force: true });
  process.once('exit', remove);
  return () => {
    clearInterval(renewal);
    process.off('exit', remove);
    remove();
  };
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

/**
 * @param {string} lockFile
 * @returns {Holder | null} null when there is no lock
 */
function readHolder(lockFile) {
  try {
    const [pid = '', id = '', ...note] = readFileSync(lockFile, 'utf8').split(' ');
    return { token: `${pid} ${id}`, pid: Number.parseInt(pid, 10), note: note.join(' ') };
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
  const renewedAt = statSync(lockFile, { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
  if (Date.now() - renewedAt > EXPIRY_MS) return true;
  // No number yet: its holder is between two system calls.
  return !Number.isNaN(holder.pid) && !isAlive(holder.pid);
}

/**
 * @param {number} pid
 * @returns {boolean} whether there is a process of that number
 */
export function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) !== 'ESRCH';
  }
}

/**
 * Removes the lock of a dead holder, and never that of its successor: one process at a time may remove the
 * lock of this very holder, and it looks again once it is the one.
 * @param {Holder} holder
 * @param {string} lockFile
 */
function removeLockOf(holder, lockFile) {
  const claim = `${lockFile}.${holder.token.split(' ')[1] || 'unwritten'}`;
  if (!createExclusively(claim, '')) return;
  try {
    if (readHolder(lockFile)?.token === holder.token) rmSync(lockFile, { force: true });
  } finally {
    rmSync(claim, { force: true });
  }
}

/** @param {string} lockFile */
function renew(lockFile) {
  const now = new Date();
  utimes(lockFile, now, now, () => {});
}

/** @param {unknown} error */
function codeOf(error) {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
