import { isGrpcServiceError } from '@temporalio/client';
import { StepFileError } from '../activities/custom/step-file-error.ts';
import { Failure } from '../plan/failures.ts';
import { SetupError } from '../setup/console.mjs';
import { CommandError, INTERRUPTED_EXIT_CODE, InterruptedError } from './command-error.ts';
import { TemporalServerError } from './temporal-server.ts';

/** What a person can act on is said in its own words; anything else is ours, with its stack. */
const EXPECTED = [CommandError, Failure, SetupError, StepFileError, TemporalServerError];

/** An error in one text: its message, or what we need to find the defect. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (EXPECTED.some((type) => error instanceof type)) return error.message;
  const cause = isGrpcServiceError(error) ? error : error.cause;
  if (isGrpcServiceError(cause)) {
    return (
      `the Temporal server did not do as asked (${cause.details}): ` +
      "see that it runs, with 'temporal operator cluster health'"
    );
  }
  return error.stack ?? error.message;
}

/** Prints an error to stderr. @returns the exit code */
export function reportError(error: unknown): number {
  if (error instanceof InterruptedError) {
    process.stderr.write('interrupted\n');
    return INTERRUPTED_EXIT_CODE;
  }
  process.stderr.write(`error: ${describeError(error)}\n`);
  return error instanceof CommandError ? error.exitCode : 1;
}
