import { Failure } from '../../plan/failures.ts';
import type { FailureType } from '../../plan/failures.ts';
import { errorCode } from '../../store/fs-files.ts';

/** What a person can do about a refusal, by its kind. */
export interface Remedies {
  readonly unauthorized: string;
  readonly notFound: string;
}

/**
 * The failure that a server's refusal stands for. Its own explanation is quoted when there is one.
 * @param what what was asked for, as a person would write it
 */
export function refusal(
  what: string,
  response: Response,
  remedies: Remedies,
  explanation = '',
): Failure {
  const said = [response.status, response.statusText].join(' ').trim();
  const quoted = explanation === '' ? '' : ` (${explanation})`;
  const message = (text: string): string => `${what}: the server answered ${said}${quoted}${text}`;
  const type = refusalType(response.status);
  const retryAfterMs = retryAfter(response.headers);
  const options = retryAfterMs === undefined ? {} : { retryAfterMs };
  switch (type) {
    case 'Unauthorized':
      return new Failure(type, message(`; ${remedies.unauthorized}`));
    case 'NotFound':
      return new Failure(type, message(`; ${remedies.notFound}`));
    case 'RateLimited':
      return new Failure(type, message(', too many requests; try again later'), options);
    case 'SourceUnavailable':
      return new Failure(type, message('; try again later'), options);
    default:
      return new Failure(type, message(', which trying again cannot change'));
  }
}

function refusalType(status: number): FailureType {
  if (status === 401 || status === 403 || status === 407) return 'Unauthorized';
  if (status === 404 || status === 410) return 'NotFound';
  if (status === 429) return 'RateLimited';
  if (status === 408 || status === 425 || status >= 500) return 'SourceUnavailable';
  return 'InvalidInput';
}

/** From `Retry-After` (seconds or a date), or the Hub's `RateLimit: "api";r=0;t=SECONDS`. */
function retryAfter(headers: Headers): number | undefined {
  const header = headers.get('retry-after');
  if (header !== null) {
    const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
    return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
  }
  const seconds = /(?:^|;)\s*t=(\d+)/.exec(headers.get('ratelimit') ?? '')?.[1];
  return seconds === undefined ? undefined : Number(seconds) * 1000;
}

/** The failure of a connection that could not be made or broke off. */
export function connectionFailure(what: string, error: unknown): unknown {
  if (error instanceof Failure || !(error instanceof Error)) return error;
  // fetch wraps the reason: TypeError("fetch failed" or "terminated", { cause }).
  const reason = error.cause instanceof Error ? error.cause : error;
  const code = errorCode(reason);
  if (!(error instanceof TypeError) && code === undefined) return error;
  const why = [code, reason.message].filter(Boolean).join(': ');
  return new Failure(
    'SourceUnavailable',
    `${what}: the connection failed (${why}); try again later`,
    { cause: error },
  );
}

/** The failure of a body that is shorter than announced. */
export function incomplete(what: string, expectedBytes: number): Failure {
  return new Failure(
    'SourceUnavailable',
    `${what}: the body ended before all of its ${expectedBytes} bytes had arrived; try again later`,
  );
}
