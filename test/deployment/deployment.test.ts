import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { parseAddress, parseWorkerOptions } from '../../cli/worker-options.ts';
import { PROJECT_ROOT } from '../../setup/dependencies.mjs';
import { importsOf, sourceFiles } from '../boundary/source-imports.ts';

interface Service {
  readonly image: string;
  readonly build?: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, unknown>>;
  readonly volumes?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly stop_grace_period?: string;
}
interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

const compose = parse(read('docker-compose.yml'), { merge: true }) as Compose;
const services = Object.entries(compose.services);
const workers = services.filter(([, service]) => service.build !== undefined);

describe('docker-compose.yml', () => {
  test('has the server with its database and page, and two workers', () => {
    expect(Object.keys(compose.services)).toEqual([
      'postgresql',
      'temporal',
      'temporal-ui',
      'worker',
      'train-worker',
    ]);
  });

  test('its workers serve every role once, as worker.ts reads their arguments', () => {
    const options = workers.map(([, { command = [] }]) =>
      parseWorkerOptions(['node', 'worker.ts', ...command]),
    );
    expect(options.map(({ roles, labels }) => ({ roles: [...roles], labels }))).toEqual([
      { roles: ['control', 'work'], labels: ['cpu'] },
      { roles: ['train'], labels: ['cpu'] },
    ]);
  });

  test('asks a worker for its health where it serves it', () => {
    for (const [name, { environment = {}, healthcheck }] of workers) {
      const { port } = parseAddress(String(environment['RETUNE_HEALTH']));
      expect(healthcheck?.test.at(-1), name).toContain(`http://127.0.0.1:${port}/readyz`);
    }
  });

  test('leaves a worker more time to stop than its own grace time', () => {
    const { graceTime } = parseWorkerOptions(['node', 'worker.ts']);
    for (const [name, { stop_grace_period: period = '0s' }] of workers) {
      expect(Number.parseInt(period, 10), name).toBeGreaterThan(Number.parseInt(graceTime, 10));
    }
  });

  test('sets only variables that the code reads', () => {
    const code = ['activities', 'cli', 'data', 'store', '.']
      .flatMap((folder) =>
        folder === '.' ? [join(PROJECT_ROOT, 'worker.ts')] : sourceFiles(folder),
      )
      .map((file) => readFileSync(file, 'utf8'))
      .join('\n');
    // Read by @temporalio/envconfig.
    const temporal = ['TEMPORAL_ADDRESS', 'TEMPORAL_NAMESPACE'];
    for (const [name, { environment = {} }] of workers) {
      const unknown = Object.keys(environment).filter(
        (key) => !temporal.includes(key) && !code.includes(key),
      );
      expect(unknown, name).toEqual([]);
    }
  });

  test('keeps the store on a volume that its workers share', () => {
    for (const [name, { environment = {}, volumes = [] }] of workers) {
      expect(environment['RETUNE_STORE'], name).toBe('file:/var/lib/retune/store');
      expect(volumes, name).toContain('store:/var/lib/retune');
    }
    expect(Object.keys(compose.volumes)).toContain('store');
    expect(read('Dockerfile')).toContain('chown node:node /var/lib/retune');
  });

  test('waits for what is healthy', () => {
    for (const [name, { depends_on: needed = {} }] of services) {
      for (const [dependency, { condition }] of Object.entries(needed)) {
        expect([name, condition]).toEqual([name, 'service_healthy']);
        expect(compose.services[dependency]?.healthcheck, dependency).toBeDefined();
      }
    }
  });

  test('pins every image to a version', () => {
    const pulled = services.filter(([, { build }]) => build === undefined);
    expect(
      pulled
        .map(([, { image }]) => image)
        .filter((image) => !/:\d+\.\d+(\.\d+)?(-\w+)?$/.test(image)),
    ).toEqual([]);
  });

  const client = spawnSync('docker', ['compose', 'version']);
  test.skipIf(client.status !== 0)(
    'is valid for `docker compose` (skipped without that client)',
    () => {
      const { stderr, status } = spawnSync('docker', ['compose', 'config', '--quiet'], {
        cwd: PROJECT_ROOT,
        encoding: 'utf8',
      });
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    },
  );
});

describe('Dockerfile', () => {
  const bases = [...read('Dockerfile').matchAll(/^FROM (\S+)/gm)].map(([, image]) => image);

  test('builds and runs on one pinned Node that Retune supports', () => {
    expect(new Set(bases).size).toBe(1);
    const [, major] = /^node:(\d+)\.\d+\.\d+-bookworm-slim$/.exec(bases[0] ?? '') ?? [];
    expect(Number(major)).toBeGreaterThanOrEqual(22);
  });

  test('copies every file that a worker runs', () => {
    const kept = read('.dockerignore')
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1));
    expect(kept.filter((path) => !existsSync(join(PROJECT_ROOT, path)))).toEqual([]);
    const needed = [
      ...reachable('worker.ts'),
      ...reachable('workflows/index.ts'),
      ...reachable('setup/exec.mjs'),
    ];
    expect(needed).toContain('workflows/pipeline.ts');
    expect(needed).toContain('setup/lock.mjs');
    expect(
      needed.filter((file) => !kept.some((path) => file === path || file.startsWith(`${path}/`))),
    ).toEqual([]);
  });
});

/** Files of ours that a file imports, and they. */
function reachable(file: string, seen = new Set<string>()): Set<string> {
  if (seen.has(file)) return seen;
  seen.add(file);
  for (const { kind, to } of importsOf(join(PROJECT_ROOT, file), read(file))) {
    if (kind === 'own') reachable(to, seen);
  }
  return seen;
}

function read(file: string): string {
  return readFileSync(join(PROJECT_ROOT, file), 'utf8');
}
