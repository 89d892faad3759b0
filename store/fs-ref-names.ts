import { Failure } from '../plan/failures.ts';

/** Below a ref's folder: what is the ref's own. No encoded segment holds a `~`. */
export const GENERATIONS_FOLDER = '~';

/** File systems allow 255 bytes a name. A longer segment goes on in a folder inside. */
const SEGMENT_PIECE = /(.{200})(?=.)/g;
const SAFE = /[A-Za-z0-9._=@+-]/;
const LONE_SURROGATE = /\p{Surrogate}/u;

/**
 * Relative path of a ref's folder. Each segment of the name becomes one folder: characters outside
 * `[A-Za-z0-9._=@+-]` are percent-encoded, and so are the dots of `.` and `..`, so no name leaves
 * the root and each name has its own folder.
 *
 * @throws InvalidInput for an empty name or segment, and for text that is not Unicode
 */
export function encodeRefName(name: string): string {
  return name
    .split('/')
    .map((segment) => encodeSegment(segment, name))
    .join('/');
}

/** The name whose folder is `path`. */
export function decodeRefPath(path: string): string {
  return path.replaceAll('~/', '').split('/').map(decodeURIComponent).join('/');
}

function encodeSegment(segment: string, name: string): string {
  if (segment === '' || LONE_SURROGATE.test(segment)) {
    throw new Failure(
      'InvalidInput',
      `${JSON.stringify(name)} cannot name a ref: expected text, with single slashes between its parts`,
    );
  }
  const encoded = /^\.\.?$/.test(segment)
    ? segment.replaceAll('.', '%2E')
    : Array.from(segment, encodeCharacter).join('');
  return encoded.replace(SEGMENT_PIECE, '$1~/');
}

function encodeCharacter(character: string): string {
  if (SAFE.test(character)) return character;
  const encoded = encodeURIComponent(character);
  if (encoded !== character) return encoded;
  return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
}
