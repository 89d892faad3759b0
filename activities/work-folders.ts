import { mkdir, readdir, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { randomUUID } from 'node:crypto';

/** Folder of what attempts write before it is in the store: `$RETUNE_HOME/work`. */
export function workRoot(env: Readonly<Record<string, string | undefined>>): string {
  return resolve(env['RETUNE_HOME'] || '.retune', 'work');
}

/** A new folder for one attempt; its name says which process it belongs to. */
export async function createWorkFolder(root: string): Promise<string> {
  const folder = join(root, `${hostname()}-${process.pid}-${randomUUID()}`);
  await mkdir(folder, { recursive: true });
  return folder;
}

/** Removes the folders that killed workers of this host left behind; before a worker has its own. */
export async function sweepWorkFolders(
  env: Readonly<Record<string, string | undefined>>,
): Promise<void> {
  const root = workRoot(env);
  const names = await readdir(root).catch(() => []);
  const prefix = `${hostname()}-`;
  for (const name of names) {
    if (!name.startsWith(prefix)) continue;
    const pid = Number(name.slice(prefix.length).split('-')[0]);
    // In a container that was restarted the killed worker had this very process id.
    if (pid === process.pid || !isAlive(pid))
      await rm(join(root, name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
