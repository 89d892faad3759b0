/** A person's error: shown as its message alone. */
export class CommandError extends Error {
  override readonly name: string = 'CommandError';
  readonly exitCode: number = 1;
}

/** A file that a command was given and cannot read or load: it could not do its work at all. */
export class UnreadableFile extends CommandError {
  override readonly name = 'UnreadableFile';
  override readonly exitCode = 2;
}

/** Ctrl-C or SIGTERM, before there was anything to stop in order. */
export class InterruptedError extends Error {
  override readonly name = 'InterruptedError';
}

/** As a shell reports a program that Ctrl-C ended: 128 + SIGINT. */
export const INTERRUPTED_EXIT_CODE = 130;
