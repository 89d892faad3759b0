import { readFileSync } from 'node:fs';

/** npm, or a shell and npm above it. */
const MAX_LEVELS = 3;

/**
 * Process id of the npm whose script started this process, directly or through a shell; undefined
 * when none did, or where that cannot be told (other systems than Linux).
 */
export function npmProcess(): number | undefined {
  if (process.env['npm_lifecycle_event'] === undefined) return undefined;
  let pid = process.ppid;
  for (let level = 0; level < MAX_LEVELS && pid > 1; level++) {
    const { name, parent } = describe(pid);
    if (name.startsWith('npm')) return pid;
    pid = parent;
  }
  return undefined;
}

/** From /proc/PID/stat, `PID (NAME) STATE PPID ...`, as in proc(5). */
function describe(pid: number): { name: string; parent: number } {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const end = stat.lastIndexOf(')');
    const [, parent] = stat.slice(end + 2).split(' ');
    return { name: stat.slice(stat.indexOf('(') + 1, end), parent: Number(parent) };
  } catch {
    return { name: '', parent: 0 };
  }
}
