import { expect, test } from 'vitest';
import { catalog } from '../../activities/catalog.ts';
import { compile, formatDiagnostics } from '../../language/compile.ts';

function pipeline(pause: string): string {
  return `name: p
params: { host: example.org }
steps:
  gate: { uses: approve@1, with: { message: 'go on?' } }
on: { pause: ${pause} }
`;
}

/** The diagnostics' first lines. */
function problems(pause: string): readonly string[] {
  const compiled = compile({ source: pipeline(pause), catalog });
  if (compiled.ok) return [];
  return formatDiagnostics(compiled.diagnostics)
    .split('\n')
    .filter((line) => line.startsWith('pipeline.yaml:') && !line.includes(' hint: '));
}

test('a message of pauses is a step of notify@1 without a body', () => {
  const pause = "{ url: 'https://${{ params.host }}/x', secret: '${{ secrets.KEY }}' }";
  const compiled = compile({ source: pipeline(pause), catalog });
  expect(compiled.ok && compiled.plan.onPause).toMatchObject({
    ...{ id: 'on.pause', kind: 'notify', version: 1, effect: 'external', needs: [] },
    with: { url: 'https://${{ params.host }}/x', secret: '${{ secrets.KEY }}' },
  });
  const without = compile({ source: pipeline(pause).replace(/^on: .*\n/m, ''), catalog });
  expect(without.ok && 'onPause' in without.plan).toBe(false);
});

test.each([
  [
    '7',
    "5:14: 'pause' is 7; expected a map such as { url: '${{ secrets.WEBHOOK_URL }}' } [value-type]",
  ],
  [
    '{ }',
    "5:7: step 'on.pause' has no 'url', which notify@1 needs; add url: \"https://HOST/PATH\" [missing-key]",
  ],
  [
    "{ url: 'https://x', body: hello }",
    "5:34: unknown input 'body' of notify@1; expected one of url, secret [unknown-key]",
  ],
  [
    "{ url: '${{ steps.gate.outputs.by }}' }",
    "5:26: 'on.pause' cannot read 'steps', of which any may pause; read params, env, run or secrets [reference]",
  ],
  ["{ url: '${{ params.hots }}' }", "5:33: unknown param 'hots'; did you mean 'host'? [reference]"],
  [
    "{ url: 'https://x', secret: plain }",
    '5:42: \'secret\' takes a secret only, as any other text would be kept with the run; write "${{ secrets.WEBHOOK_SECRET }}", and set RETUNE_SECRET_WEBHOOK_SECRET where the worker runs [secret]',
  ],
])('on: { pause: %s } is refused', (pause, problem) => {
  expect(problems(pause)).toEqual([`pipeline.yaml:${problem}`]);
});
