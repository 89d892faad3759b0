import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { catalog } from '../../activities/catalog.ts';
import { drawPipeline, mermaidFlowchart } from '../../cli/pipeline-drawing.ts';
import { draft } from '../../language/compile.ts';
import { temporaryFolder } from '../setup/folders.ts';
import { runProgram, type ProgramResult } from '../setup/processes.ts';

const TWO = `name: two
params: { name: { type: string } }
steps:
  publish:
    uses: register@1
    needs: [late]
    if: \${{ steps.base.outputs.parameters > 1 && params.name != '<"x">' }}
    with: { model: '\${{ steps.base.outputs.model }}', name: '\${{ params.name }}' }
  base:
    uses: download-model@1
    with: { source: 'file:model' }
  late:
    uses: download-dataset@1
    with: { source: 'file:rows.csv' }
  alone:
    uses: download-dataset@1
    with: { source: 'file:other.csv' }
`;

let folder: string;

beforeAll(async () => {
  folder = await temporaryFolder();
  await writeFile(join(folder, 'two.yaml'), TWO);
  await writeFile(join(folder, 'bad.yaml'), TWO.replace('[late]', '[lat]'));
});

function graph(...args: readonly string[]): Promise<ProgramResult> {
  const env = { INIT_CWD: folder, TEMPORAL_ADDRESS: '127.0.0.1:1', RETUNE_STORE: 'file:/dev/null' };
  return runProgram('cli/main.ts', ['graph', ...args], { env });
}

test('each step is below what it needs, with a line from it', async () => {
  const { code, stdout, stderr } = await graph('two.yaml');
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toBe(`\
○ base       download-model@1
│ ○ late     download-dataset@1
●─┘ publish  register@1, if steps.base.outputs.parameters > 1 && params.name != '<"x">'
○ alone      download-dataset@1
`);
});

test('--mermaid: order without data is dotted, and labels are escaped', async () => {
  const { code, stdout } = await graph('two.yaml', '--mermaid');
  expect(code).toBe(0);
  expect(stdout).toBe(`\
flowchart LR
  s0["base<br/>download-model@1"]
  s1["late<br/>download-dataset@1"]
  s2["publish<br/>register@1, if steps.base.outputs.parameters #gt; 1 #amp;#amp; params.name != '#lt;#quot;x#quot;#gt;'"]
  s3["alone<br/>download-dataset@1"]
  s1 -.-> s2
  s0 --> s2
`);
});

test('--mermaid: what is read in whatever spelling is no order alone', async () => {
  const text = TWO.replaceAll('steps.base.outputs.', 'Steps . base . outputs.').replace(
    'needs: [late]',
    'needs: [late, alone]',
  );
  await writeFile(join(folder, 'spelt.yaml'), text.replace('\'<"x">\'', "'steps.late.outputs'"));
  const { stdout } = await graph('spelt.yaml', '--mermaid');
  expect(stdout.split('\n').filter((line) => line.includes('>'))).toEqual(
    expect.arrayContaining(['  s1 -.-> s3', '  s2 -.-> s3', '  s0 --> s3']),
  );
});

test('--json: the steps and what they need', async () => {
  const { code, stdout } = await graph('two.yaml', '--json');
  const { ok, steps } = JSON.parse(stdout) as { ok: boolean; steps: readonly unknown[] };
  expect([code, ok, steps[0]]).toEqual([
    ...[0, true],
    { id: 'publish', uses: 'register@1', needs: ['late', 'base'] },
  ]);
  const bad = await graph('bad.yaml', '--json');
  expect([bad.code, JSON.parse(bad.stdout)]).toMatchObject([1, { ok: false }]);
});

test('a pipeline with errors is not drawn, and says why', async () => {
  const { code, stdout, stderr } = await graph('bad.yaml');
  expect([code, stdout]).toEqual([1, '']);
  expect(stderr).toContain("bad.yaml:6:13: unknown step 'lat'; did you mean 'late'? [reference]");
  expect(await graph('none.yaml')).toMatchObject({ code: 2, stdout: '' });
});

/** A line down from `need` must reach the row of each reader. */
test('every edge of a large pipeline is a line from one step to the other', () => {
  const steps = Array.from({ length: 40 }, (_, i) => {
    const needs = [i - 1, i - 3, Math.floor(i / 2)].filter((need) => need >= 0 && need < i);
    const list = [...new Set(needs)].map((need) => `s${need}`).join(', ');
    return `  s${i}: { uses: download-dataset@1, needs: [${list}], with: { source: 'file:a.csv' } }`;
  });
  const drafted = draft({ source: `name: large\nsteps:\n${steps.join('\n')}\n`, catalog });
  if (!drafted.ok) throw new Error(JSON.stringify(drafted.diagnostics));
  const rows = drawPipeline(drafted.plan);
  const grid = rows.map((row) => row.split(/ s\d+ /)[0] ?? '');
  for (const [i, row] of grid.entries()) {
    const reader = drafted.plan.steps.find(({ id }) => rows[i]?.includes(` ${id} `));
    const node = row.search(/[●○]/);
    const found = [...row]
      .flatMap((mark, column) => ('├┤┼┴┘└'.includes(mark) ? [column] : []))
      .map((column) => originOf(grid, i, column));
    const own =
      row[node] === '●' && '●○│├┤┼'.includes(grid[i - 1]?.[node] ?? ' ')
        ? [originOf(grid, i, node)]
        : [];
    const ids = [...own, ...found].map((from) => drafted.plan.steps[from]?.id);
    expect(new Set(ids)).toEqual(new Set(reader?.needs));
  }
  expect(mermaidFlowchart(drafted.plan).filter((line) => line.includes('-.->'))).toHaveLength(
    drafted.plan.steps.reduce((sum, { needs }) => sum + needs.length, 0),
  );
});

/** Row of the step whose line goes down a column to before row `from`. */
function originOf(grid: readonly string[], from: number, column: number): number {
  let row = from - 1;
  while (row > 0 && !'●○'.includes(grid[row]?.[column] ?? ' ')) row--;
  return row;
}
