import { expect, test } from 'vitest';
import { z } from 'zod';
import type { AnyStep } from '../../activities/catalog.ts';
import { parseStandIns } from '../../activities/declaration.ts';
import { fingerprint } from '../../activities/fingerprint.ts';
import { credential, defineStep } from '../../language/step-declaration.ts';
import type { JsonObject } from '../../plan/json.ts';
import { evaluateInputs } from '../../plan/secret-inputs.ts';

const step = defineStep({
  ...{ kind: 'fetch', version: 1, revision: 1, effect: 'pure', role: 'work', summary: 'Test.' },
  with: z.strictObject({
    url: z.string(),
    token: credential('TOKEN').optional(),
    logins: z.array(credential('LOGIN')).default([]),
    code: z.string().regex(/^\d+$/, 'expected digits').optional(),
  }),
  outputs: {},
  run: () => Promise.resolve({}),
}) as unknown as AnyStep;

/** Of a step with this `with`. */
function of(template: JsonObject): string {
  const evaluated = evaluateInputs(template, { params: {} });
  const inputs = parseStandIns(step, evaluated);
  const { kind, version, revision } = step;
  return fingerprint(step, { kind, version, revision, ...evaluated, inputs });
}

const PLAIN = { url: 'https://host/rows' };

test('a credential has no part in it', () => {
  expect(of({ ...PLAIN, token: '${{ secrets.A }}' })).toBe(of(PLAIN));
  expect(of({ ...PLAIN, token: 'Bearer ${{ secrets.B }}' })).toBe(of(PLAIN));
  const one = of({ ...PLAIN, logins: ['${{ secrets.A }}', '${{ secrets.B }}'] });
  expect(of({ ...PLAIN, logins: ['${{ secrets.C }}', '${{ secrets.A }}'] })).toBe(one);
  expect(of({ ...PLAIN, logins: ['${{ secrets.A }}'] })).not.toBe(one);
});

test('of any other secret it has the name and the place', () => {
  const a = of({ url: 'https://host/${{ secrets.A }}' });
  expect(of({ url: 'https://host/${{secrets.A}}' })).toBe(a);
  expect(of({ url: 'https://host/${{ secrets.B }}' })).not.toBe(a);
  expect(of({ url: 'https://other/${{ secrets.A }}' })).not.toBe(a);
});

test('text that was written as a stand-in looks is other text', () => {
  const secret = of({ url: '${{ secrets.A }}' });
  expect(of({ url: "${{ '${{ secrets.A }}' }}" })).not.toBe(secret);
});

test('a stand-in that the kind would not take is left to the worker, and nothing else is', () => {
  const code = of({ ...PLAIN, code: '${{ secrets.A }}' });
  expect(of({ ...PLAIN, code: '${{ secrets.B }}' })).not.toBe(code);
  expect(() => of({ url: 5, code: '${{ secrets.A }}' })).toThrow("'url' is 5; expected a string");
  expect(() => of({ ...PLAIN, code: 'x' })).toThrow("'code' is 'x', a string; expected digits");
});
