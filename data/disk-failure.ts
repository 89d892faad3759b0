import { Failure } from '../plan/failures.ts';
import { errorCode } from '../store/fs-files.ts';

/** The failure that an error of writing `path` stands for; any other error stays as it is. */
export function diskFailure(error: unknown, path: string): unknown {
  switch (errorCode(error)) {
    case 'ENOSPC':
    case 'EDQUOT':
      return new Failure(
        'DiskFull',
        `no space left to write ${path}: free some space on that disk, or set RETUNE_HOME to a folder ` +
          'on a larger one',
        { cause: error },
      );
    default:
      return error;
  }
}
