import { expect, test } from 'vitest';
import { compile } from '../../language/compile.ts';
import { fromProblem, parseOptions } from '../../language/options.ts';
import { catalog } from './catalog.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test.each<[Parameters<typeof parseOptions>[0], object]>([
  [null, {}],
  [undefined, {}],
  [bytes(''), {}],
  [{}, {}],
  [bytes('{"params": {"rows": 5}}'), { params: { rows: 5 } }],
  ['{"force": true}', { force: true }],
  [
    { from: 'tune', source_name: 'p.yaml' },
    { from: 'tune', source_name: 'p.yaml' },
  ],
])('reads %o', (raw, options) => {
  expect(parseOptions(raw)).toEqual({ ok: true, options });
});

test.each<[Parameters<typeof parseOptions>[0], string]>([
  [{ parms: {} }, "unknown option 'parms'; did you mean 'params'?"],
  [
    { rows: 5 },
    "unknown option 'rows'; expected one of params, from, force, source_name, step_sources",
  ],
  [
    { params: [1] },
    'option \'params\' is a list of 1; expected a map of params, such as {"rows": 500}',
  ],
  [{ force: 'yes' }, "option 'force' is 'yes', a string; expected true or false"],
  [{ from: 7 }, "option 'from' is 7; expected a step's id"],
  [7, 'the options are 7; expected a map such as {"params": {...}}'],
  ['[]', 'the options are a list of 0; expected a map such as {"params": {...}}'],
  [bytes('name: p'), 'the options are not JSON; expected {"params": {...}}'],
  [Uint8Array.from([0xff]), 'the options are not JSON; expected {"params": {...}}'],
])('refuses %o', (raw, message) => {
  expect(parseOptions(raw)).toEqual({ ok: false, message });
});

test('from has to name a step of the plan', () => {
  const source = 'name: p\nsteps: { tune: { uses: probe@1 }, score: { uses: probe@1 } }';
  const compiled = compile({ source, catalog });
  const plan = compiled.ok ? compiled.plan : expect.fail('does not compile');
  expect(fromProblem({}, plan)).toBeUndefined();
  expect(fromProblem({ from: 'tune' }, plan)).toBeUndefined();
  expect(fromProblem({ from: 'tuen' }, plan)).toBe(
    "option 'from' names the unknown step 'tuen'; did you mean 'tune'?",
  );
});
