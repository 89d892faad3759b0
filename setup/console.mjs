// @ts-check

/** A failure of the set-up that a person can act on: printed without a stack. */
export class SetupError extends Error {
  /** @override */
  name = 'SetupError';
}

/**
 * Prints one line of set-up chatter. It goes to stderr, so that stdout stays what the command says.
 * @param {string} line
 */
export function say(line) {
  process.stderr.write(`retune: ${line}\n`);
}

/**
 * Runs the set-up of a command; a SetupError ends the process with its message and exit code 1.
 * @template T
 * @param {() => Promise<T>} setup
 * @returns {Promise<T>}
 */
export async function orExit(setup) {
  try {
    return await setup();
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
}
