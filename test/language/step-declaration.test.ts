import { expect, test } from 'vitest';
import { z } from 'zod';
import { artifact, defineStep } from '../../language/step-declaration.ts';
import { valueSchema } from '../../language/schema.ts';

test('a kind that would ignore a misspelt input is refused', () => {
  const declare = (inputs: z.ZodObject) =>
    defineStep({
      kind: 'loose',
      version: 1,
      revision: 1,
      effect: 'pure',
      role: 'work',
      summary: 'Takes anything.',
      with: inputs,
      outputs: {},
      run: () => Promise.resolve({}),
    });
  expect(() => declare(z.object({ model: artifact('model') }))).toThrow(
    "kind 'loose@1': 'with' ignores unknown inputs; declare it by z.strictObject",
  );
  expect(declare(z.strictObject({ model: artifact('model') })).kind).toBe('loose');
});

test('an artifact is a digest, and keeps its facts through optional and describe', () => {
  const schema = artifact('dataset', 'model');
  const digest = `sha256:${'0a'.repeat(32)}`;
  expect(schema.parse(digest)).toBe(digest);
  for (const other of ['sha256:00', digest.toUpperCase(), ` ${digest}`, 7, null]) {
    expect(schema.safeParse(other).error?.issues).toMatchObject([
      { message: 'expected the digest of a dataset or model artifact, sha256:<64 hex digits>' },
    ]);
  }
  const described = z.strictObject({ a: schema.optional().describe('an input') });
  expect(valueSchema(described, 'input').properties?.['a']).toEqual({
    type: 'string',
    pattern: '^sha256:[0-9a-f]{64}$',
    artifact: ['dataset', 'model'],
  });
});
