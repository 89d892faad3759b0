import { rename, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { CommandError } from '../../cli/command-error.ts';
import { freePort, LOOPBACK } from '../../cli/port.ts';
import type { WorkerHealth } from '../../cli/worker/health.ts';
import { startWorker as startChildWorker } from '../../cli/worker-process.ts';
import type { JsonObject } from '../../plan/json.ts';
import { cleanUp, withCleanUp } from '../setup/cleanup.ts';
import { retune, startProgram, startWorker, type TestProcess } from '../setup/processes.ts';
import { testSite, type TestSite } from '../setup/temporal.ts';
import { pipelineFile, until } from './observed-run.ts';

const NOT_A_FOLDER = /is not a folder: set RETUNE_STORE to a new or an existing folder/;

interface Answer {
  readonly code: number;
  readonly health: WorkerHealth;
}

async function readiness(port: number): Promise<Answer> {
  const response = await fetch(`http://${LOOPBACK}:${port}/readyz`);
  return { code: response.status, health: (await response.json()) as WorkerHealth };
}

/** Waits for an answer of `/readyz` with this code. */
function untilReadiness(port: number, code: number): Promise<WorkerHealth> {
  return until(`readiness ${code}`, async () => {
    const answer = await readiness(port).catch(() => undefined);
    return answer?.code === code ? answer.health : undefined;
  });
}

/** Lines of a worker's log. */
function logged({ stderr }: TestProcess): readonly JsonObject[] {
  const lines = stderr.split('\n').filter((line) => line.startsWith('{'));
  return lines.map((line) => JSON.parse(line) as JsonObject);
}

async function statusOf(site: TestSite, id: string): Promise<string> {
  const { stdout } = await retune(site, ['show', id, '--json']);
  return (JSON.parse(stdout) as { status: string }).status;
}

describe.concurrent('a worker', () => {
  test('tells its health, its metrics and what it does with the steps of runs', () =>
    withCleanUp(async () => {
      const site = await testSite();
      const [port, metricsPort] = [await freePort(), await freePort()];
      const env = { RETUNE_METRICS: `${metricsPort}` };
      const worker = await startWorker(site, ['--health', `${port}`], { env });
      expect(await untilReadiness(port, 200)).toEqual({
        status: 'ready',
        queues: [
          { queue: 'retune', role: 'control', polls: true },
          { queue: 'retune-work', role: 'work', polls: true },
          { queue: 'retune-train-cpu', role: 'train', polls: true },
        ],
        conditions: { store: null, 'device of label cpu': null, server: null },
      });
      const alive = await fetch(`http://${LOOPBACK}:${port}/livez`);
      expect([alive.status, await alive.json()]).toEqual([200, { status: 'alive' }]);
      const other = await fetch(`http://${LOOPBACK}:${port}/`);
      expect([other.status, await other.json()]).toEqual([
        404,
        { error: 'expected /livez or /readyz' },
      ]);

      for (const id of ['observed', 'again']) {
        expect((await retune(site, ['run', pipelineFile('small'), '--id', id])).code).toBe(0);
      }
      const metrics = await (await fetch(`http://${LOOPBACK}:${metricsPort}/metrics`)).text();
      const valueOf = (name: string, ...labels: readonly string[]): number | undefined => {
        const line = metrics
          .split('\n')
          .find(
            (text) => text.startsWith(`${name}{`) && labels.every((label) => text.includes(label)),
          );
        return line === undefined ? undefined : Number(line.split(' ').at(-1));
      };
      const attempts = 'retune_step_attempts_total';
      expect(valueOf(attempts, 'kind="train"', 'outcome="completed"')).toBe(1);
      expect(valueOf(attempts, 'kind="subset"', 'outcome="completed"')).toBe(2);
      expect(valueOf(attempts, 'kind="train"', 'outcome="cached"')).toBe(1);
      expect(valueOf('retune_step_attempt_seconds_count', 'kind="train"')).toBe(1);
      expect(valueOf('retune_queue_polled', 'queue="retune-train-cpu"')).toBe(1);
      expect(valueOf('retune_condition_well', 'condition="store"')).toBe(1);
      // Temporal's own.
      expect(valueOf('temporal_worker_start_total', 'task_queue="retune"')).toBe(1);

      const said = logged(worker).filter(({ step, run }) => step === 'tune' && run === 'observed');
      expect(said).toMatchObject([
        { level: 30, msg: 'step starts', kind: 'train', attempt: 1 },
        { level: 30, msg: 'step ended', kind: 'train', attempt: 1, outcome: 'completed' },
      ]);
    }));

  test('whose store is no folder takes no work and says why; once it is one, it goes on', () =>
    withCleanUp(async () => {
      const site = await testSite();
      const port = await freePort();
      const path = join(site.home, 'store');
      await writeFile(path, 'a file');
      const worker = startProgram('worker.ts', ['--health', `${port}`], { env: site.env });
      const { status, queues, conditions } = await until('what is wrong', async () => {
        const answer = await readiness(port).catch(() => undefined);
        return NOT_A_FOLDER.test(answer?.health.conditions['store'] ?? '')
          ? answer?.health
          : undefined;
      });
      expect([status, queues.map(({ polls }) => polls)]).toEqual([
        'not ready',
        [false, false, false],
      ]);
      expect(conditions['store']).toBe(
        `the store ${path} is not a folder: set RETUNE_STORE to a new or an existing folder`,
      );
      await worker.untilPrinted(
        /takes no work that needs the store: the store \S+ is not a folder/,
      );
      expect((await fetch(`http://${LOOPBACK}:${port}/livez`)).status).toBe(200);

      await rename(path, `${path}.away`);
      await untilReadiness(port, 200);
      expect((await retune(site, ['run', pipelineFile('small'), '--id', 'late'])).code).toBe(0);

      // While it runs, too. Work that comes meanwhile waits.
      await rename(path, `${path}.good`);
      await writeFile(path, 'a file');
      const broken = await untilReadiness(port, 503);
      expect(broken.conditions['store']).toMatch(
        /^the store file:\S+ cannot be used \(ENOTDIR: .*\): bring it back, or set RETUNE_STORE to another/,
      );
      await until('no queue that is polled', async () => {
        const { health } = await readiness(port);
        return health.queues.some(({ polls }) => polls) ? undefined : true;
      });
      await rename(path, `${path}.away2`);
      await rename(`${path}.good`, path);
      await untilReadiness(port, 200);
      expect((await retune(site, ['run', pipelineFile('small'), '--id', 'later'])).code).toBe(0);
      expect(await statusOf(site, 'later')).toBe('completed');
      expect(await worker.end('SIGTERM')).toEqual({ code: 0, signal: null });
    }));

  test('whose device does not compute takes no training steps of its label, but all others', () =>
    withCleanUp(async () => {
      const site = await testSite();
      const port = await freePort();
      const env = { ...site.env, RETUNE_HEALTH: `${LOOPBACK}:${port}` };
      const worker = startProgram('worker.ts', ['--labels', 'cpu,webgpu'], { env });
      await worker.untilPrinted(/takes no work that needs the device of label webgpu/);
      const health = await until('the queues that can be served', async () => {
        const answer = await readiness(port).catch(() => undefined);
        const polled = answer?.health.queues.filter(({ polls }) => polls) ?? [];
        return polled.length === 3 ? answer : undefined;
      });
      expect(health.code).toBe(503);
      expect(health.health.queues.find(({ polls }) => !polls)).toEqual({
        ...{ queue: 'retune-train-webgpu', role: 'train', polls: false },
      });
      expect(health.health.conditions['device of label webgpu']).toMatch(
        /^this worker cannot compute on the device webgpu: .*expected a GPU with its driver/s,
      );
      expect((await retune(site, ['run', pipelineFile('small'), '--id', 'cpu'])).code).toBe(0);
      expect(await worker.end('SIGTERM')).toEqual({ code: 0, signal: null });
    }));

  test('whose store is broken is no worker to the command that starts one', () =>
    withCleanUp(async () => {
      const site = await testSite();
      const path = join(site.home, 'store');
      await writeFile(path, 'a file');
      const env = { ...process.env, ...site.env };
      const start = startChildWorker({ logFile: join(site.home, 'worker.log'), env });
      await expect(start).rejects.toThrow(
        new CommandError(
          `the worker takes no work: the store ${path} is not a folder: set RETUNE_STORE to a new or an existing folder`,
        ),
      );
    }));

  test('told to stop while its store is broken ends', () =>
    withCleanUp(async () => {
      const site = await testSite();
      await writeFile(join(site.home, 'store'), 'a file');
      const worker = startProgram('worker.ts', [], { env: site.env });
      await worker.untilPrinted(/takes no work that needs the store/);
      expect(await worker.end('SIGTERM')).toEqual({ code: 0, signal: null });
    }));

  test('sends a trace of each run where OTEL_EXPORTER_OTLP_ENDPOINT says', () =>
    withCleanUp(async () => {
      const site = await testSite();
      const collector = await startCollector();
      const env = {
        OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
        OTEL_SERVICE_NAME: 'trainers',
      };
      const worker = await startWorker(site, [], { env });
      expect((await retune(site, ['run', pipelineFile('small'), '--id', 'traced'])).code).toBe(0);
      expect(await worker.end('SIGTERM')).toEqual({ code: 0, signal: null });
      const spans = collector.spans();
      const run = spans.find(({ name }) => name === 'RunWorkflow:pipeline');
      const training = spans.find(({ name }) => name === 'RunActivity:train');
      expect(run).toBeDefined();
      expect(training?.traceId).toBe(run?.traceId);
      expect(training?.attributes).toMatchObject({
        ...{ temporalWorkflowId: 'traced', temporalActivityId: 'tune' },
      });
      expect(training?.service).toBe('trainers');
    }));
});

interface Span {
  readonly name: string;
  readonly traceId: string;
  readonly service: string | undefined;
  readonly attributes: Readonly<Record<string, string>>;
}

interface Attributes {
  readonly attributes: readonly { key: string; value: { stringValue?: string } }[];
}

/** The JSON of https://opentelemetry.io/docs/specs/otlp/#otlphttp */
interface ExportRequest {
  readonly resourceSpans: readonly {
    readonly resource: Attributes;
    readonly scopeSpans: readonly {
      readonly spans: readonly (Attributes & { name: string; traceId: string })[];
    }[];
  }[];
}

/** An HTTP server that keeps the spans that it is sent. */
async function startCollector(): Promise<{ url: string; spans: () => readonly Span[] }> {
  const requests: ExportRequest[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (request.url === '/v1/traces') {
        requests.push(JSON.parse(Buffer.concat(chunks).toString()) as ExportRequest);
      }
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, LOOPBACK, resolve));
  cleanUp(async () => {
    server.close();
    server.closeAllConnections();
  });
  const textsOf = ({ attributes }: Attributes): Record<string, string> =>
    Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue ?? '']));
  return {
    url: `http://${LOOPBACK}:${port}`,
    spans: () =>
      requests.flatMap(({ resourceSpans }) =>
        resourceSpans.flatMap(({ resource, scopeSpans }) =>
          scopeSpans.flatMap(({ spans }) =>
            spans.map((span) => ({
              ...{ name: span.name, traceId: span.traceId },
              service: textsOf(resource)['service.name'],
              attributes: textsOf(span),
            })),
          ),
        ),
      ),
  };
}
