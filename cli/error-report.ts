import { Failure } from '../plan/failures.ts';
import { SetupError } from '../setup/console.mjs';
import { CommandError } from './connection.ts';
import { TemporalServerError } from './temporal-server.ts';

/** What a person can act on is said in its own words; anything else is ours, with its stack. */
const EXPECTED = [CommandError, Failure, SetupError, TemporalServerError];

/** Prints an error to stderr. @returns the exit code */
export function reportError(error: unknown): number {
  const text = error instanceof Error ? error.message : String(error);
  const isExpected = EXPECTED.some((type) => error instanceof type);
  const stack = error instanceof Error ? (error.stack ?? text) : text;
  process.stderr.write(`error: ${isExpected ? text : stack}\n`);
  return 1;
}
