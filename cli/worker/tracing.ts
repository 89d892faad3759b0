import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { detectResourcesSync, envDetectorSync, Resource } from '@opentelemetry/resources';
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { OpenTelemetryPlugin } from '@temporalio/interceptors-opentelemetry';
import type { WorkerPlugin } from '@temporalio/worker';

export interface Tracing {
  readonly plugins: readonly WorkerPlugin[];
  /** Sends what was not sent yet. */
  end(): Promise<void>;
}

/**
 * Spans of workflows and activities, by Temporal's own interceptors, to where OpenTelemetry's
 * standard variables say: OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_HEADERS,
 * OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES.
 */
export function startTracing(): Tracing {
  const fromEnvironment = detectResourcesSync({ detectors: [envDetectorSync] });
  const resource = new Resource({ 'service.name': 'retune-worker' }).merge(fromEnvironment);
  const spanProcessor = new BatchSpanProcessor(new OTLPTraceExporter());
  const provider = new BasicTracerProvider({ resource, spanProcessors: [spanProcessor] });
  provider.register({ contextManager: new AsyncLocalStorageContextManager() });
  const tracer = provider.getTracer('retune');
  return {
    plugins: [new OpenTelemetryPlugin({ resource, spanProcessor, tracer })],
    end: () => provider.shutdown(),
  };
}
