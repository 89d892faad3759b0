/** A person's error: shown as its message alone, with exit code 1. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}

/** Ctrl-C or SIGTERM, before there was anything to stop in order. */
export class InterruptedError extends Error {
  override readonly name = 'InterruptedError';
}

/** As a shell reports a program that Ctrl-C ended: 128 + SIGINT. */
export const INTERRUPTED_EXIT_CODE = 130;
