/** A person's error: shown as its message alone, with exit code 1. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}
