import { Failure } from '../plan/failures.ts';

const DIGEST = /^sha256:[0-9a-f]{64}$/;

/** Whether `text` has the form of a blob's or an artifact's digest. */
export function isDigest(text: unknown): text is `sha256:${string}` {
  return typeof text === 'string' && DIGEST.test(text);
}

/**
 * The 64 hexadecimal digits of a digest.
 * @throws InvalidInput when `text` is no digest, so that nothing else ever becomes a file's name
 */
export function digestHex(text: string): string {
  if (!isDigest(text)) {
    throw new Failure(
      'InvalidInput',
      `${JSON.stringify(text)} is not a digest: expected sha256: and 64 hexadecimal digits`,
    );
  }
  return text.slice('sha256:'.length);
}
