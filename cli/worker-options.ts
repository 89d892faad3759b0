import { Command, InvalidArgumentError, Option } from 'commander';
import type { StepFile } from '../activities/custom/step-source.ts';
import { LOOPBACK } from './port.ts';
import { collectStepFiles, STEPS_DESCRIPTION } from './step-files.ts';

const ROLES = ['control', 'work', 'train'] as const;
export type WorkerRole = (typeof ROLES)[number];

export interface HostAndPort {
  readonly host: string;
  readonly port: number;
}

export interface WorkerFlags {
  readonly roles: readonly WorkerRole[];
  /** Worker labels: the values of `runs_on` whose training steps this worker takes. */
  readonly labels: readonly string[];
  /** Steps of role work at a time. */
  readonly concurrency: number;
  /** Outer limit of a graceful shutdown, as a duration (`60s`). */
  readonly graceTime: `${number}s`;
  /** Least time between two heartbeats of an attempt, as a duration; they carry live progress. */
  readonly heartbeat: `${number}s`;
  /** Files with step kinds of one's own. */
  readonly steps: readonly StepFile[];
  /** Where `/livez` and `/readyz` are served. */
  readonly health: HostAndPort | undefined;
  /** Where Prometheus finds `/metrics`. */
  readonly metrics: HostAndPort | undefined;
}

/** Reads worker.ts's command line; prints help or the error and exits where that is asked for. */
export function parseWorkerOptions(argv: readonly string[]): WorkerFlags {
  const command = new Command('worker')
    .description('Serve the queues of a Temporal server: workflows, light steps, training steps.')
    .option('--roles <list>', 'control, work, train', parseRoles, [...ROLES])
    .option('--labels <list>', 'worker labels of the training steps', parseLabels, ['cpu'])
    .option('--concurrency <n>', 'light steps at a time', parseCount, 4)
    .option('--grace-time <seconds>', 'outer limit of a graceful shutdown', parseCount, 60)
    .option('--heartbeat <seconds>', 'between heartbeats, which carry progress', parseCount, 3)
    .option('--steps <file>', STEPS_DESCRIPTION, collectStepFiles, [])
    .addOption(addressOption('--health <address>', 'where /livez and /readyz are', 'RETUNE_HEALTH'))
    .addOption(addressOption('--metrics <address>', 'where /metrics is', 'RETUNE_METRICS'))
    .parse(argv);
  const { roles, labels, concurrency, graceTime, heartbeat, ...rest } = command.opts<{
    roles: readonly WorkerRole[];
    labels: readonly string[];
    concurrency: number;
    graceTime: number;
    heartbeat: number;
    steps: readonly StepFile[];
    health?: HostAndPort;
    metrics?: HostAndPort;
  }>();
  const { steps, health, metrics } = rest;
  return {
    ...{ roles, labels, concurrency, steps, health, metrics },
    ...{ graceTime: `${graceTime}s`, heartbeat: `${heartbeat}s` },
  };
}

function addressOption(flags: string, description: string, variable: string): Option {
  return new Option(flags, `${description}: PORT, or HOST:PORT as 0.0.0.0:8090`)
    .env(variable)
    .argParser(parseAddress);
}

/** A port alone is one of this machine alone. */
export function parseAddress(text: string): HostAndPort {
  const [, host = LOOPBACK, digits] = /^(?:(\[[0-9A-Fa-f:]+\]|[^:]+):)?(\d+)$/.exec(text) ?? [];
  const port = Number(digits);
  if (digits === undefined || port > 65_535) {
    throw new InvalidArgumentError(`found '${text}', expected PORT or HOST:PORT`);
  }
  return { host: host.replace(/^\[(.*)\]$/, '$1'), port };
}

function parseRoles(text: string): readonly WorkerRole[] {
  const names = text.split(',').map((name) => name.trim());
  const roles = names.map((name) => {
    const role = ROLES.find((known) => known === name);
    if (role === undefined) {
      throw new InvalidArgumentError(`found '${name}', expected some of ${ROLES.join(', ')}`);
    }
    return role;
  });
  return [...new Set(roles)];
}

function parseLabels(text: string): readonly string[] {
  const labels = text.split(',').map((label) => label.trim());
  const wrong = labels.find((label) => !/^[A-Za-z0-9_.-]+$/.test(label));
  if (wrong !== undefined) {
    throw new InvalidArgumentError(`found '${wrong}', expected letters, digits, '_', '.' and '-'`);
  }
  return [...new Set(labels)];
}

function parseCount(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1) {
    throw new InvalidArgumentError(`found '${text}', expected a whole number from 1`);
  }
  return count;
}
