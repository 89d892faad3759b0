import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Connection } from '@temporalio/client';
import { LOOPBACK, freePort, isPortFree, portOwner } from './port.ts';

const GUARD = fileURLToPath(new URL('process-guard.mjs', import.meta.url));
/** Of process-guard.mjs: another guard holds the database's lock. */
const LOCKED_EXIT_CODE = 75;
const READY_TIMEOUT_MS = 60_000;
const PROBE_TIMEOUT_MS = 1_000;
const POLL_MS = 50;
/** The guard kills its command 5 s after it was told to stop. */
const STOP_TIMEOUT_MS = 8_000;
const FREE_PORT_TRIES = 5;
const LOG_TAIL_LINES = 15;

export interface TemporalServerOptions {
  /** The Temporal CLI, 1.5 or newer. */
  readonly cliPath: string;
  /** SQLite file that keeps the runs; without it they are gone when the server stops. */
  readonly databaseFile?: string;
  /** Of the gRPC service. Default: free, any that nobody uses. */
  readonly port?: number | 'free';
  /** Of Temporal's web UI, which is left out without it. */
  readonly uiPort?: number | 'free';
  /** What the server prints; overwritten by each start. */
  readonly logFile: string;
  readonly namespaces?: readonly string[];
}

export interface ServerExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface TemporalServer {
  /** host:port of the gRPC service. */
  readonly address: string;
  readonly uiUrl: string | null;
  /** Leader of the process group that the server is in. */
  readonly pid: number;
  readonly exited: Promise<ServerExit>;
  /** Ends it in order, within seconds, and waits for that. */
  stop(): Promise<void>;
  /** Ends it at once, as a crash would, and waits for that. */
  kill(): Promise<void>;
}

export type TemporalServerProblem = 'port-taken' | 'database-in-use' | 'exited' | 'not-ready';

/** Why no server came up; the message says what to do about it. */
export class TemporalServerError extends Error {
  override readonly name = 'TemporalServerError';
  readonly problem: TemporalServerProblem;

  constructor(problem: TemporalServerProblem, message: string, options?: ErrorOptions) {
    super(message, options);
    this.problem = problem;
  }
}

/**
 * Starts Temporal's development server and waits until it serves. It ends with this process, however that
 * ends, and is out of reach of the terminal's Ctrl-C: the caller stops it when its own work is done.
 * @throws TemporalServerError
 */
export async function startTemporalServer(options: TemporalServerOptions): Promise<TemporalServer> {
  const port = options.port ?? 'free';
  for (const wanted of [port, options.uiPort]) {
    if (typeof wanted === 'number') await assertPortFree(wanted);
  }
  for (let tries = 1; ; tries++) {
    const launch = new Launch(options, {
      port: port === 'free' ? await freePort() : port,
      uiPort: options.uiPort === 'free' ? await freePort() : (options.uiPort ?? null),
    });
    try {
      return await launch.untilReady();
    } catch (error) {
      await launch.kill();
      const stolen = error instanceof TemporalServerError && error.problem === 'port-taken';
      if (!stolen || tries === FREE_PORT_TRIES) throw error;
    }
  }
}

interface Ports {
  readonly port: number;
  readonly uiPort: number | null;
}

/** One server process, from its start to its end. */
class Launch implements TemporalServer {
  readonly address: string;
  readonly uiUrl: string | null;
  readonly exited: Promise<ServerExit>;
  readonly #guard: ChildProcess;
  readonly #options: TemporalServerOptions;
  #exit: ServerExit | null = null;

  constructor(options: TemporalServerOptions, ports: Ports) {
    this.#options = options;
    this.address = `${LOOPBACK}:${ports.port}`;
    this.uiUrl = ports.uiPort === null ? null : `http://${LOOPBACK}:${ports.uiPort}`;
    this.#guard = spawnGuarded(options, this.address, ports);
    this.exited = new Promise((settle) => {
      const end = (code: number | null, signal: NodeJS.Signals | null): void => {
        this.#exit = { code, signal };
        // A guard that was killed could not end its command.
        killGroup(this.#guard);
        settle(this.#exit);
      };
      this.#guard.once('exit', end).once('error', () => end(null, null));
    });
  }

  get pid(): number {
    return this.#guard.pid ?? 0;
  }

  async untilReady(): Promise<TemporalServer> {
    for (const deadline = performance.now() + READY_TIMEOUT_MS; performance.now() < deadline;) {
      const serves = await Promise.race([isServing(this.address), this.exited.then(() => false)]);
      if (this.#exit !== null) throw this.#exitError(this.#exit);
      if (serves) return this;
      await delay(POLL_MS);
    }
    throw new TemporalServerError(
      'not-ready',
      `the Temporal server did not answer on ${this.address} within ${READY_TIMEOUT_MS / 1000} s.\n${this.#log()}`,
    );
  }

  async stop(): Promise<void> {
    this.#guard.stdin?.end();
    const timer = setTimeout(() => killGroup(this.#guard), STOP_TIMEOUT_MS);
    await this.exited;
    clearTimeout(timer);
  }

  async kill(): Promise<void> {
    killGroup(this.#guard);
    await this.exited;
  }

  #exitError(exit: ServerExit): TemporalServerError {
    const log = this.#log();
    if (exit.code === LOCKED_EXIT_CODE) {
      return new TemporalServerError('database-in-use', databaseInUse(this.#options, log));
    }
    if (log.includes('address already in use')) {
      return new TemporalServerError('port-taken', `${this.address} was taken meanwhile.\n${log}`);
    }
    const how =
      exit.code === null ? `was ended by ${exit.signal}` : `exited with code ${exit.code}`;
    return new TemporalServerError(
      'exited',
      `the Temporal server (${this.#options.cliPath}) ${how} before it served.\n${log}`,
    );
  }

  /** The end of its log, with the file's name. */
  #log(): string {
    const { logFile } = this.#options;
    const tail = readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-LOG_TAIL_LINES);
    if (tail.join('') === '') return `Its log, ${logFile}, is empty.`;
    return [`Log, ${logFile}:`, ...tail.map((line) => `  ${line}`)].join('\n');
  }
}

function spawnGuarded(options: TemporalServerOptions, address: string, ports: Ports): ChildProcess {
  mkdirSync(dirname(options.logFile), { recursive: true });
  const lock: string[] = [];
  if (options.databaseFile !== undefined) {
    const file = resolve(options.databaseFile);
    mkdirSync(dirname(file), { recursive: true });
    lock.push('--lock', `${file}.lock`, '--note', address);
  }
  const log = openSync(options.logFile, 'w');
  try {
    return spawn(
      process.execPath,
      [GUARD, ...lock, '--', options.cliPath, ...serverArguments(options, ports)],
      { stdio: ['pipe', log, log], detached: true, env: environmentWithoutTemporal() },
    );
  } finally {
    closeSync(log);
  }
}

/** The dev server polls its queues at most 20 times a second by default: up to 50 ms of waiting a task. */
const FAST_QUEUES = ['transfer', 'timer'].flatMap((queue) => [
  '--dynamic-config-value',
  `history.${queue}ProcessorMaxPollRPS=1000`,
]);

function serverArguments(options: TemporalServerOptions, ports: Ports): string[] {
  return [
    ...['server', 'start-dev', '--ip', LOOPBACK, '--port', String(ports.port)],
    ...(ports.uiPort === null ? ['--headless'] : ['--ui-port', String(ports.uiPort)]),
    ...(options.databaseFile === undefined ? [] : ['--db-filename', resolve(options.databaseFile)]),
    ...(options.namespaces ?? []).flatMap((name) => ['--namespace', name]),
    ...FAST_QUEUES,
    ...['--log-level', 'error'],
  ];
}

/** TEMPORAL_ADDRESS and the like say where clients connect to; a local server is told all by its flags. */
export function environmentWithoutTemporal(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('TEMPORAL_')),
  );
}

/** Whether a Temporal server answers at `address` and has its default namespace. */
async function isServing(address: string): Promise<boolean> {
  // gRPC waits a second after a refused connection: it is tried once somebody listens.
  if (!(await accepts(address))) return false;
  let connection: Connection | null = null;
  try {
    connection = await Connection.connect({ address, connectTimeout: PROBE_TIMEOUT_MS });
    await connection.workflowService.describeNamespace({ namespace: 'default' });
    return true;
  } catch {
    return false;
  } finally {
    await connection?.close();
  }
}

function accepts(address: string): Promise<boolean> {
  const [host = '', port = ''] = address.split(':');
  return new Promise((resolve) => {
    const socket = connect({ host, port: Number(port), timeout: PROBE_TIMEOUT_MS });
    const answer = (accepted: boolean) => (): void => {
      socket.destroy();
      resolve(accepted);
    };
    socket
      .once('connect', answer(true))
      .once('error', answer(false))
      .once('timeout', answer(false));
  });
}

async function assertPortFree(port: number): Promise<void> {
  if (await isPortFree(port)) return;
  const owner = portOwner(port) ?? 'another program';
  const serves = await isServing(`${LOOPBACK}:${port}`);
  throw new TemporalServerError(
    'port-taken',
    `port ${port} is taken by ${owner}${serves ? ', a Temporal server' : ''}. ` +
      (serves
        ? `Use that server with TEMPORAL_ADDRESS=${LOOPBACK}:${port}, stop it, or choose another port.`
        : 'Stop it, or choose another port.'),
  );
}

function databaseInUse(options: TemporalServerOptions, log: string): string {
  const address = log.split('\n').at(-1)?.trim();
  return (
    `another Temporal server, on ${address}, uses ${options.databaseFile}. ` +
    `Stop it, or use it: TEMPORAL_ADDRESS=${address}.`
  );
}

function killGroup(leader: ChildProcess): void {
  if (leader.pid === undefined) return;
  try {
    process.kill(-leader.pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
