/**
 * How long `retune check` takes, as a person waits for it: whole processes, from start to exit.
 * Beside it: check.md, which it writes.
 *
 *     node setup/exec.mjs bench/check.ts
 *
 * On a machine with other work, `chrt -f 50` before it lets the processes go first.
 */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..');
const TURNS = 15;
const FILE = 'pipelines/tweet-sentiment.yaml';

const NODE = process.execPath;
const SIDES: readonly (readonly [name: string, command: string, args: readonly string[]])[] = [
  ['`node -e 0`: what Node itself takes', NODE, ['-e', '0']],
  [
    '`node setup/exec.mjs cli/main.ts check`',
    NODE,
    ['setup/exec.mjs', 'cli/main.ts', 'check', FILE],
  ],
  [
    'the same by `npm run --silent retune -- check`',
    'npm',
    ['run', '--silent', 'retune', '--', 'check', FILE],
  ],
  [
    'the TypeScript, loaded a file at a time by tsx',
    NODE,
    ['--import', 'tsx', 'cli/main.ts', 'check', FILE],
  ],
];

const times = SIDES.map(() => [] as number[]);
// The first turn makes the bundle and fills caches.
for (let turn = 0; turn <= TURNS; turn += 1) {
  for (const [side, [, command, args]] of SIDES.entries()) {
    const start = performance.now();
    const { status, stderr } = spawnSync(command, args, { cwd: ROOT, encoding: 'utf8' });
    if (status !== 0)
      throw new Error(`${command} ${args.join(' ')} ended with ${status}: ${stderr}`);
    if (turn > 0) times[side]?.push(performance.now() - start);
  }
}

const rows = SIDES.map(([name], side) => {
  const found = (times[side] ?? []).toSorted((a, b) => a - b);
  const cells = [found[Math.floor(TURNS / 2)], found[0], found.at(-1)];
  return `| ${name} | ${cells.map((ms) => `${Math.round(ms ?? NaN)} ms`).join(' | ')} |`;
});
const [cpu] = cpus();
const machine = `${cpu?.model.trim() ?? 'unknown processor'}, ${cpus().length} cores, Node ${process.versions.node}`;
const page = `# Time of \`retune check\`

\`node setup/exec.mjs bench/check.ts\`: whole processes on \`${FILE}\`, ${TURNS} turns each, in turn. Asked for: 300 ms.

Measured on ${machine}; load average ${loadavg()[0]?.toFixed(1)}.

| process | median | least | most |
| --- | --- | --- | --- |
${rows.join('\n')}
`;
writeFileSync(join(import.meta.dirname, 'check.md'), page);
console.log(page);
