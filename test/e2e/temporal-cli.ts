import { ensureTemporalCli } from '../../setup/temporal-cli.mjs';
import { CONTROL_QUEUE, PIPELINE_WORKFLOW } from '../../plan/names.ts';
import { TestProcess, type ProgramResult } from '../setup/processes.ts';
import type { TestSite } from '../setup/temporal.ts';

/** Runs the Temporal CLI to its end, against the site's server and namespace. */
export async function temporal(site: TestSite, args: readonly string[]): Promise<ProgramResult> {
  const command = new TestProcess(await ensureTemporalCli(), args, { env: site.env });
  const exit = await command.exited;
  return { ...exit, stdout: command.stdout, stderr: command.stderr };
}

/** As `temporal`, with `-o json`. @throws when the command fails */
export async function temporalJson(site: TestSite, args: readonly string[]): Promise<unknown> {
  const { code, stdout, stderr } = await temporal(site, [...args, '-o', 'json']);
  if (code !== 0) throw new Error(`temporal ${args.join(' ')}: exit ${code}\n${stdout}${stderr}`);
  return JSON.parse(stdout);
}

/** What `temporal workflow start` and `temporal schedule create` share: which workflow, which queue. */
export const PIPELINE = ['--type', PIPELINE_WORKFLOW, '--task-queue', CONTROL_QUEUE] as const;

/** What the README's command says of a YAML file. */
export function bytesOf(file: string): readonly string[] {
  return ['--input-file', file, '--input-meta', 'encoding=binary/plain'];
}
