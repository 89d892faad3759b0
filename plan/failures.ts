/** Every way a step can fail, as a closed set; each says whether trying again can help. */
export const FAILURE_TYPES = {
  InvalidInput: { retryable: false },
  NotFound: { retryable: false },
  Unauthorized: { retryable: false },
  RateLimited: { retryable: true },
  SourceUnavailable: { retryable: true },
  OutOfMemory: { retryable: true },
  DiskFull: { retryable: true },
  CorruptArtifact: { retryable: true },
  Diverged: { retryable: false },
  Rejected: { retryable: false },
  DeviceUnavailable: { retryable: true },
  WorkerMismatch: { retryable: true },
  ShuttingDown: { retryable: true },
  ComputedElsewhere: { retryable: true },
  Internal: { retryable: true },
} as const satisfies Record<string, { retryable: boolean }>;

export type FailureType = keyof typeof FAILURE_TYPES;

export interface FailureOptions extends ErrorOptions {
  /** How long to wait before the next try, when the source said so. */
  readonly retryAfterMs?: number;
}

/** A failure with a type that decides its retry, and a message a person can act on. */
export class Failure extends Error {
  override readonly name = 'Failure';
  readonly type: FailureType;
  readonly retryAfterMs: number | undefined;

  constructor(type: FailureType, message: string, options: FailureOptions = {}) {
    super(message, options);
    // A user's step file is not compiled before it runs.
    if (!Object.hasOwn(FAILURE_TYPES, type)) {
      const known = Object.keys(FAILURE_TYPES).join(', ');
      throw new TypeError(
        `${JSON.stringify(type)} is no type of failure; expected one of ${known}`,
      );
    }
    this.type = type;
    this.retryAfterMs = options.retryAfterMs;
  }
}
