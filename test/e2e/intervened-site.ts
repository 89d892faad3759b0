import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { STATE_QUERY } from '../../plan/names.ts';
import type { RunState } from '../../plan/plan.ts';
import { cleanUp } from '../setup/cleanup.ts';
import { temporaryFolder } from '../setup/folders.ts';
import { type ProgramResult, retune, startWorker, type TestProcess } from '../setup/processes.ts';
import { testSite, type TestSite } from '../setup/temporal.ts';
import { until } from './observed-run.ts';
import { bytesOf, PIPELINE, temporal } from './temporal-cli.ts';

/** Kinds that fail as long as a file is missing, say what they were given, and wait for a file. */
const KINDS = `import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { defineStep, Failure, z } from 'retune/steps';

const shared = { version: 1, effect: 'pure', role: 'work', summary: 'Tries.' } as const;
const outputs = { value: z.string() };

export default [
  defineStep({ ...shared, kind: 'echo', with: z.strictObject({ value: z.string() }), outputs, run: (_, { value }) => ({ value }) }),
  defineStep({
    ...shared, kind: 'shaky', with: z.strictObject({ file: z.string(), value: z.string() }), outputs,
    run(_, { file, value }) {
      if (!existsSync(file)) throw new Failure('InvalidInput', 'no ' + file + ' yet');
      return { value };
    },
  }),
  defineStep({
    ...shared, kind: 'waits', with: z.strictObject({ file: z.string() }), outputs,
    async run({ signal }, { file }) {
      while (!existsSync(file)) await sleep(20, undefined, { signal });
      return { value: file };
    },
  }),
];
`;

/** What signs messages of pauses. */
export const HOOK = 'the key of a webhook';
const SECRETS = { env: { RETUNE_SECRET_HOOK: HOOK } };

/** A site with these kinds, and what a person does there. */
export class IntervenedSite {
  readonly site: TestSite;
  readonly folder: string;
  worker: TestProcess;

  readonly #client: Client;

  private constructor(site: TestSite, folder: string, worker: TestProcess, client: Client) {
    [this.site, this.folder, this.worker, this.#client] = [site, folder, worker, client];
  }

  static async open(): Promise<IntervenedSite> {
    const site = await testSite();
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'kinds.ts'), KINDS);
    const worker = await startWorker(site, ['--steps', join(folder, 'kinds.ts')], SECRETS);
    const connection = await Connection.connect({ address: site.address });
    cleanUp(() => connection.close());
    const client = new Client({ connection, namespace: site.namespace });
    return new IntervenedSite(site, folder, worker, client);
  }

  async startWorker(): Promise<void> {
    this.worker = await startWorker(this.site, ['--steps', join(this.folder, 'kinds.ts')], SECRETS);
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /** Submits by the plain Temporal CLI. */
  async submit(id: string, pipeline: string): Promise<void> {
    const file = this.path(`${id}.yaml`);
    await writeFile(file, pipeline);
    const start = ['workflow', 'start', ...PIPELINE, '--workflow-id', id, ...bytesOf(file)];
    const { code, stderr } = await temporal(this.site, start);
    if (code !== 0) throw new Error(stderr);
  }

  retune(...args: readonly string[]): Promise<ProgramResult> {
    return retune(this.site, args);
  }

  /** `temporal workflow update execute`, as anybody can. */
  update(id: string, name: string, input: unknown): Promise<ProgramResult> {
    return temporal(this.site, [
      ...['workflow', 'update', 'execute', '--workflow-id', id, '--name', name],
      ...['--input', JSON.stringify(input)],
    ]);
  }

  /** By the query `state`, which an ended run answers, too. */
  state(id: string): Promise<RunState> {
    return this.#client.workflow.getHandle(id).query<RunState>(STATE_QUERY);
  }

  async until(id: string, what: string, isSo: (state: RunState) => boolean): Promise<RunState> {
    return until(`${id}: ${what}`, async () => {
      const state = await this.state(id);
      return isSo(state) ? state : undefined;
    });
  }

  paused(id: string): Promise<RunState> {
    return this.until(id, 'a pause', ({ status }) => status === 'paused');
  }

  ended(id: string): Promise<RunState> {
    return this.until(id, 'its end', ({ status }) => status !== 'paused' && status !== 'running');
  }
}
