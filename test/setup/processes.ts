import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECT_ROOT } from '../../setup/dependencies.mjs';
import { cleanUp } from './cleanup.ts';

export interface ProcessOptions {
  readonly cwd?: string;
  /** Added to this process's environment, less what Vitest, Temporal and Retune have set there. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A child process whose output is kept. With its test it is killed, and whatever it has started. */
export class TestProcess {
  readonly exited: Promise<ProcessExit>;
  readonly #child: ChildProcess;
  readonly #mark: string;
  readonly #waiting = new Set<() => void>();
  #stdout = '';
  #stderr = '';
  #exit: ProcessExit | null = null;

  constructor(file: string, args: readonly string[], options: ProcessOptions = {}) {
    this.#mark = `RETUNE_TEST_PROCESS=${randomUUID()}`;
    this.#child = spawn(file, args, {
      cwd: options.cwd ?? PROJECT_ROOT,
      env: {
        ...cleanEnvironment(),
        ...options.env,
        ...Object.fromEntries([this.#mark.split('=')]),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
      this.#wake();
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
      this.#wake();
    });
    this.exited = new Promise((resolve, reject) => {
      this.#child.once('error', reject).once('close', (code, signal) => {
        this.#exit = { code, signal };
        resolve(this.#exit);
        this.#wake();
      });
    });
    cleanUp(() => this.dispose());
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error('the process could not be started');
    return this.#child.pid;
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /**
   * Waits until it has printed a match, in what it has printed on stdout or on stderr since its start.
   * @throws when it ends without one, with all that it printed
   */
  async untilPrinted(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.#stdout) ?? pattern.exec(this.#stderr);
      if (match !== null) return match;
      if (this.#exit !== null) {
        throw new Error(`ended without printing ${pattern}: ${this.describe()}`);
      }
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  /** Sends a signal and waits for the end. */
  async end(signal: NodeJS.Signals): Promise<ProcessExit> {
    this.#child.kill(signal);
    return this.exited;
  }

  /** Its descendants that still run, however they were started, as `PID COMMAND` (Linux; else none). */
  remaining(): readonly string[] {
    return markedProcesses(this.#mark).filter((line) => !line.startsWith(`${this.#child.pid} `));
  }

  describe(): string {
    const { code, signal } = this.#exit ?? {};
    return `exit ${code ?? signal ?? 'none'}\nstdout:\n${this.#stdout}\nstderr:\n${this.#stderr}`;
  }

  async dispose(): Promise<void> {
    this.#child.kill('SIGKILL');
    for (const line of this.remaining()) killIfThere(Number.parseInt(line, 10));
    await this.exited.catch(() => null);
  }

  #wake(): void {
    for (const resume of this.#waiting) resume();
    this.#waiting.clear();
  }
}

/** A TypeScript file of the project, run as `npm run` would. */
export function startProgram(
  file: string,
  args: readonly string[] = [],
  options: ProcessOptions = {},
): TestProcess {
  const runner = join(PROJECT_ROOT, 'setup', 'exec.mjs');
  return new TestProcess(process.execPath, [runner, file, ...args], options);
}

export interface ProgramResult extends ProcessExit {
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program of the project to its end. */
export async function runProgram(
  file: string,
  args: readonly string[] = [],
  options: ProcessOptions = {},
): Promise<ProgramResult> {
  const program = startProgram(file, args, options);
  const exit = await program.exited;
  return { ...exit, stdout: program.stdout, stderr: program.stderr };
}

/** Where a program of Retune keeps its state, and its Temporal server: ./temporal.ts makes one. */
interface Site {
  readonly env: Readonly<Record<string, string>>;
}

/** Runs `retune ARGS...` to its end. */
export function retune(
  site: Site,
  args: readonly string[],
  options: ProcessOptions = {},
): Promise<ProgramResult> {
  return runProgram('cli/main.ts', args, { ...options, env: { ...site.env, ...options.env } });
}

/** Starts `worker.ts ARGS...` and waits until it serves its queues. */
export async function startWorker(
  site: Site,
  args: readonly string[] = [],
  options: ProcessOptions = {},
): Promise<TestProcess> {
  const env = { ...site.env, ...options.env };
  const worker = startProgram('worker.ts', args, { ...options, env });
  await worker.untilPrinted(/worker ready/);
  return worker;
}

function cleanEnvironment(): NodeJS.ProcessEnv {
  const ours = /^(VITEST|TEMPORAL_(?!CLI$)|RETUNE_|NODE_ENV$|NODE_OPTIONS$|TEST$|FORCE_COLOR$)/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !ours.test(name)));
}

/** /proc/PID/environ, as in proc(5); processes that end meanwhile are not there. */
function markedProcesses(mark: string): string[] {
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => readIfThere(`/proc/${pid}/environ`).split('\0').includes(mark))
    .map((pid) => `${pid} ${readIfThere(`/proc/${pid}/cmdline`).split('\0').join(' ').trim()}`);
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
