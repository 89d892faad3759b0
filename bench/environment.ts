import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { cpus, homedir, totalmem } from 'node:os';
import { join } from 'node:path';

const REQUIREMENTS = new URL('./requirements.txt', import.meta.url);

/**
 * A Python with the peers of requirements.txt: that of $RETUNE_BENCH_PYTHON, or of a scratch
 * environment that is made once. The product itself needs none.
 */
export function peerPython(): string {
  const given = process.env['RETUNE_BENCH_PYTHON'];
  if (given !== undefined) return given;
  const digest = createHash('sha256').update(readFileSync(REQUIREMENTS)).digest('hex').slice(0, 12);
  const folder = join(homedir(), '.cache', 'retune', `bench-python-${digest}`);
  const python = join(folder, 'bin', 'python');
  const isWhole = existsSync(join(folder, 'installed'));
  if (isWhole) return python;
  console.log(`installing torch and transformers into ${folder}`);
  const run = (command: string, args: readonly string[]): void => {
    execFileSync(command, args, { stdio: 'inherit' });
  };
  run('python3', ['-m', 'venv', folder]);
  run(python, ['-m', 'pip', 'install', '--quiet', '-r', REQUIREMENTS.pathname]);
  run('touch', [join(folder, 'installed')]);
  return python;
}

/** What a result was measured on, in one line. */
export function machine(python: string): string {
  const [cpu] = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  const versions = spawnSync(
    python,
    ['-c', 'import torch, transformers; print(torch.__version__, transformers.__version__)'],
    { encoding: 'utf8' },
  ).stdout.trim();
  const [torch = '?', transformers = '?'] = versions.split(' ');
  return (
    `${cpu?.model.trim() ?? 'unknown processor'}, ${cpus().length} cores, ${memory} GiB, ` +
    `Node ${process.versions.node}, torch ${torch}, transformers ${transformers}`
  );
}

/** Folder of the real data and weights: $RETUNE_SHARED, or ../shared. */
export function sharedFolder(): string {
  const folder = process.env['RETUNE_SHARED'] ?? join(import.meta.dirname, '..', '..', 'shared');
  if (existsSync(join(folder, 'data', 'tweets.jsonl'))) return folder;
  throw new Error(
    `${folder} has no data/tweets.jsonl: set $RETUNE_SHARED to a folder with data/tweets.jsonl, ` +
      'models/all-MiniLM-L6-v2 and models/gpt2',
  );
}
