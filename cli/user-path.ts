import { resolve } from 'node:path';

/** A path as the person means it: `npm run` starts commands in the project's folder, not theirs. */
export function userPath(path: string): string {
  return resolve(process.env['INIT_CWD'] ?? process.cwd(), path);
}
