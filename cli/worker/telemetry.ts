import type { MetricMeter } from '@temporalio/common';
import { Runtime, type WorkerPlugin } from '@temporalio/worker';
import type { Logger } from 'pino';
import { CommandError } from '../command-error.ts';
import { temporalLogger } from '../worker-log.ts';
import type { HostAndPort } from '../worker-options.ts';

export interface Telemetry {
  readonly meter: MetricMeter;
  /** Of every Temporal Worker of this process. */
  readonly plugins: readonly WorkerPlugin[];
  /** Sends what was not sent yet. */
  end(): Promise<void>;
}

/**
 * Temporal's runtime, with its own metrics and Retune's for Prometheus at an address, and traces
 * where OpenTelemetry's variables ask for them.
 *
 * @throws CommandError when the address cannot be listened on
 */
export async function startTelemetry(
  log: Logger,
  metrics: HostAndPort | undefined,
): Promise<Telemetry> {
  const logger = temporalLogger(log);
  // Shutdown is ours: Temporal's grace time only delays cancellation, so running steps are told at
  // once, checkpoint, and hand over; the grace time is the outer limit.
  const shutdownSignals: NodeJS.Signals[] = [];
  const runtime = install();
  const { plugins, end } = isTraced(process.env)
    ? (await import('./tracing.ts')).startTracing()
    : { plugins: [], end: () => Promise.resolve() };
  return { meter: runtime.metricMeter, plugins, end };

  function install(): Runtime {
    if (metrics === undefined) return Runtime.install({ logger, shutdownSignals });
    const bindAddress = `${metrics.host}:${metrics.port}`;
    const prometheus = { bindAddress, countersTotalSuffix: true, useSecondsForDurations: true };
    try {
      return Runtime.install({
        ...{ logger, shutdownSignals },
        telemetryOptions: { metrics: { prometheus } },
      });
    } catch (error) {
      throw new CommandError(
        `metrics cannot be served at ${bindAddress} (${(error as Error).message}): ` +
          'give --metrics another address',
        { cause: error },
      );
    }
  }
}

function isTraced(env: NodeJS.ProcessEnv): boolean {
  const { OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT } = env;
  return Boolean(OTEL_EXPORTER_OTLP_ENDPOINT || OTEL_EXPORTER_OTLP_TRACES_ENDPOINT);
}
