import { expect, test } from 'vitest';
import { TestProcess, startProgram } from './processes.ts';

test('a TypeScript program gets its arguments and its signals, and nothing else is printed', async () => {
  const program = startProgram('test/setup/exec-program.ts', ['--json', 'a b']);
  await program.untilPrinted(/\n/);
  expect(await program.end('SIGTERM')).toEqual({ code: 7, signal: null });
  expect([program.stdout, program.stderr]).toEqual(['["--json","a b"]\n', '']);
});

test('a Temporal CLI that cannot be used is an error that says so', async () => {
  const env = { TEMPORAL_CLI: '/no/such' };
  const program = new TestProcess('npm', ['run', '--silent', 'dev'], { env });
  expect(await program.exited).toEqual({ code: 1, signal: null });
  expect(program.stderr.split('\n')[0]).toBe(
    'error: $TEMPORAL_CLI is /no/such, which cannot be used: no such file.',
  );
});
