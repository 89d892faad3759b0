import { Failure, type FailureType } from './failures.ts';

const OUT_OF_MEMORY = {
  type: 'OutOfMemory',
  remedy: 'use a smaller batch or a worker with more memory',
} as const;

/** Codes of errors whose remedy is the same wherever they occur. Source: errno(3), Node's errors. */
const SYSTEM_FAILURES = new Map<string, { type: FailureType; remedy: string }>([
  [
    'ENOSPC',
    { type: 'DiskFull', remedy: 'free some room; the step continues at its next attempt' },
  ],
  [
    'EDQUOT',
    { type: 'DiskFull', remedy: 'raise the quota; the step continues at its next attempt' },
  ],
  ['ENOMEM', OUT_OF_MEMORY],
  ['ERR_MEMORY_ALLOCATION_FAILED', OUT_OF_MEMORY],
  ['ERR_WORKER_OUT_OF_MEMORY', OUT_OF_MEMORY],
  ['EACCES', { type: 'InvalidInput', remedy: 'give the worker access to it' }],
  [
    'EROFS',
    { type: 'InvalidInput', remedy: 'point RETUNE_HOME and RETUNE_STORE at a writable place' },
  ],
]);

/** What V8 says when it gets no memory for an array; such an error has no code. */
const ALLOCATION_FAILED = /^Array buffer allocation failed/;

/** The failure for an error of the operating system or of Node itself; undefined for any other. */
export function systemFailure(error: unknown): Failure | undefined {
  if (!(error instanceof Error)) return undefined;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  const isAllocation = error instanceof RangeError && ALLOCATION_FAILED.test(error.message);
  const known = isAllocation ? OUT_OF_MEMORY : SYSTEM_FAILURES.get(code);
  if (known === undefined) return undefined;
  return new Failure(known.type, `${error.message}: ${known.remedy}`, { cause: error });
}
