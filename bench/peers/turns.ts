import { readFileSync } from 'node:fs';
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';

/** A paced process: it says `waiting` when it is the other side's turn. */
export class Peer {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(command: string, args: readonly string[]) {
    this.#child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    const { stdout } = this.#child;
    if (stdout === null) throw new Error('a peer without output');
    const lines: Interface = createInterface({ input: stdout });
    this.#lines = lines[Symbol.asyncIterator]();
  }

  /** Resolves when it waits, with what it printed as `step SECONDS` since the last turn. */
  async untilWaiting(): Promise<readonly number[]> {
    const seconds: number[] = [];
    for (;;) {
      const { value, done } = await this.#lines.next();
      if (done === true) throw new Error('a peer ended before its turn was over');
      if (value === 'waiting') return seconds;
      if (value.startsWith('step ')) seconds.push(Number(value.slice(5)));
    }
  }

  /** One turn. @returns seconds of each step */
  async turn(): Promise<readonly number[]> {
    this.#child.stdin?.write('go\n');
    return this.untilWaiting();
  }

  /** Most MiB of memory that it has used, on Linux. */
  peakMib(): number {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, 'utf8');
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
  }

  /** Ends it. */
  async end(): Promise<void> {
    const closed = new Promise((resolve) => this.#child.once('close', resolve));
    this.#child.kill('SIGKILL');
    await closed;
  }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}
