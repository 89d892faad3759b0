import { expect, test } from 'vitest';
import { startProgram } from '../setup/processes.ts';
import { findSecret } from '../setup/secret-search.ts';

const SECRET = 'tok/en+1 "quoted" \\ é';

test('neither the log nor what a step prints shows a secret that is known', async () => {
  const env = { RETUNE_SECRET_TOKEN: SECRET };
  const program = startProgram('test/cli/worker-log-program.ts', [], { env });
  expect(await program.exited).toEqual({ code: 0, signal: null });
  const { stdout, stderr } = program;
  const [first = '', ...logged] = stderr.split('\n');
  expect(JSON.parse(first)).toMatchObject({ token: SECRET, msg: 'before it is known' });
  const haystack = new Map([
    ['stdout', Buffer.from(stdout)],
    ['stderr', Buffer.from(logged.join('\n'))],
  ]);
  expect(findSecret(haystack, SECRET)).toEqual([]);
  expect(stdout).toBe("console *** { token: '***' }\nbytes ***\n\uFFFD\uFFFD\ndone ***\n");
  expect(JSON.parse(logged[0] ?? '')).toMatchObject({
    token: '***',
    nested: [{ '***': 1 }],
    msg: 'a message with ***',
  });
  expect(logged.join('\n')).toContain('failed with ***');
  expect(logged.join('\n')).toContain('Error: ***');
});
