import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { expect } from 'vitest';
import { cleanUp } from '../setup/cleanup.ts';
import { temporaryFolder } from '../setup/folders.ts';
import { retune } from '../setup/processes.ts';
import { testSite, type TestSite } from '../setup/temporal.ts';
import { pipelineFile, until } from './observed-run.ts';

/** A server without schedules, and a pipeline's file to apply to it. */
export class ScheduleSite {
  readonly site: TestSite;
  readonly client: Client;
  readonly file: string;

  private constructor(site: TestSite, client: Client, file: string) {
    this.site = site;
    this.client = client;
    this.file = file;
  }

  static async start(): Promise<ScheduleSite> {
    const site = await testSite();
    const connection = await Connection.connect({ address: site.address });
    cleanUp(() => connection.close());
    const client = new Client({ connection, namespace: site.namespace });
    return new ScheduleSite(site, client, join(await temporaryFolder(), 'small.yaml'));
  }

  /** Writes the file: small.yaml, with these schedules. */
  async write(...schedules: readonly string[]): Promise<void> {
    const text = await readFile(pipelineFile('small'), 'utf8');
    const on = schedules.map((schedule) => `    - ${schedule}\n`).join('');
    await writeFile(this.file, on === '' ? text : `${text}on:\n  schedule:\n${on}`);
  }

  /** Runs `retune schedule ARGS`, which succeeds. @returns its lines */
  async lines(...args: readonly string[]): Promise<readonly string[]> {
    const { code, stdout, stderr } = await retune(this.site, ['schedule', ...args]);
    expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: '' });
    return stdout.trimEnd().split('\n');
  }

  /** As `lines`, with --json. @returns its one document */
  async json<T>(...args: readonly string[]): Promise<T> {
    return JSON.parse((await this.lines(...args, '--json')).join('\n')) as T;
  }

  /** Runs `retune schedule ARGS`, which fails. @returns what it says */
  async refusal(...args: readonly string[]): Promise<string> {
    const { code, stderr } = await retune(this.site, ['schedule', ...args]);
    expect({ args, code }).toEqual({ args, code: 1 });
    return stderr;
  }

  /** Waits until the server's list has what was done: it follows after. */
  async untilListed(...expected: readonly string[]): Promise<void> {
    await until(`schedules ${expected.join(', ')}`, async () => {
      const found: string[] = [];
      for await (const { scheduleId } of this.client.schedule.list()) found.push(scheduleId);
      return found.sort().join() === [...expected].sort().join() ? true : undefined;
    });
  }
}
