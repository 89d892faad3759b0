import type { MetricMeter } from '@temporalio/common';
import type { Logger } from 'pino';
import type { WorkerMessage } from '../worker-process.ts';
import type { HostAndPort } from '../worker-options.ts';
import type { Condition } from './condition.ts';
import { serveHealth } from './health.ts';
import { ServedQueue, type QueueOptions } from './served-queue.ts';

export interface FleetOptions {
  readonly queues: readonly QueueOptions[];
  readonly conditions: readonly Condition[];
  readonly health: HostAndPort | undefined;
  readonly meter: MetricMeter;
  readonly log: Logger;
  /** Said when every queue is polled. */
  readonly server: { readonly server: string; readonly namespace: string };
}

/**
 * Serves every queue whose conditions are well, until the signal aborts and running steps have
 * handed over; says in log, health, metrics and to a parent process how it stands.
 */
export async function serveFleet(options: FleetOptions, signal: AbortSignal): Promise<void> {
  const { conditions, log, health } = options;
  const queues = options.queues.map((queue) => new ServedQueue(queue, onChange));
  const needed = new Set(options.queues.flatMap(({ needs }) => needs));
  const names = queues.map(({ queue }) => queue);
  const polled = options.meter.createGauge(
    'retune_queue_polled',
    'int',
    undefined,
    'Whether the worker takes work from the queue.',
  );
  const isWell = options.meter.createGauge(
    'retune_condition_well',
    'int',
    undefined,
    'Whether what the worker needs is well: its store, its devices, the server.',
  );
  let isReady = false;
  onChange();
  const observed = { queues, conditions, stopping: signal };
  const server = health === undefined ? undefined : await serveHealth(health, observed, log);
  const watches = conditions.map((condition) => {
    condition.onFound((problem) => {
      isWell.set(problem === undefined ? 1 : 0, { condition: condition.name });
      if (problem !== undefined && needed.has(condition)) tell({ kind: 'broken', problem });
    });
    return condition.watch(signal);
  });
  await Promise.all([...watches, ...queues.map((queue) => queue.serve(signal))]);
  server?.close();
  server?.closeAllConnections();

  function onChange(): void {
    for (const { queue, polls } of queues) polled.set(polls ? 1 : 0, { queue });
    const wasReady = isReady;
    isReady = queues.every(({ polls }) => polls);
    if (!isReady || wasReady) return;
    log.info({ queues: names, ...options.server }, 'worker ready');
    tell({ kind: 'ready', queues: names });
  }

  function tell(message: WorkerMessage): void {
    if (process.connected) process.send?.(message);
  }
}
