import { Failure } from '../../plan/failures.ts';
import type { HubLocation } from './hub-source.ts';
import type { Environment } from './source.ts';
import type { Watchdog } from './transfer.ts';
import { connectionFailure, refusal } from './upstream-failure.ts';

const DEFAULT_ENDPOINT = 'https://huggingface.co';

/** What every call of @huggingface/hub is given. */
interface HubParams {
  readonly hubUrl: string;
  readonly fetch: typeof fetch;
  readonly accessToken?: string;
}

export interface HubConnection {
  readonly params: HubParams;
  /** The failure that a request ended with, if any did. */
  lastFailure(): Failure | undefined;
}

/**
 * A way to the Hub on which refusals and broken connections become typed failures.
 * @throws InvalidInput when HF_ENDPOINT is no URL or HF_TOKEN no token
 */
export function hubConnection(
  location: HubLocation,
  what: string,
  env: Environment,
  watchdog: Watchdog,
): HubConnection {
  const hubUrl = endpoint(env);
  const accessToken = token(env);
  let failure: Failure | undefined;
  const watchedFetch: typeof fetch = async (input, init) => {
    try {
      const response = await fetch(input, { ...init, signal: watchdog.signal });
      watchdog.touch();
      await refuse(response, what, { location, hubUrl, hasToken: accessToken !== undefined });
      return response;
    } catch (error) {
      const failed = connectionFailure(what, error);
      if (failed instanceof Failure) failure = failed;
      throw failed;
    }
  };
  return {
    params: { hubUrl, fetch: watchedFetch, ...(accessToken === undefined ? {} : { accessToken }) },
    lastFailure: () => failure,
  };
}

function endpoint(env: Environment): string {
  const written = env['HF_ENDPOINT'] || DEFAULT_ENDPOINT;
  if (!/^https?:\/\/[^/]/.test(written)) {
    throw new Failure(
      'InvalidInput',
      `HF_ENDPOINT is "${written}": expected a URL, such as ${DEFAULT_ENDPOINT}`,
    );
  }
  return written.replace(/\/+$/, '');
}

function token(env: Environment): string | undefined {
  const written = env['HF_TOKEN'];
  if (written === undefined || written === '') return undefined;
  if (!written.startsWith('hf_')) {
    throw new Failure(
      'InvalidInput',
      'HF_TOKEN does not look like a token: expected hf_ and letters, as made at ' +
        `${DEFAULT_ENDPOINT}/settings/tokens`,
    );
  }
  return written;
}

interface Access {
  readonly location: HubLocation;
  readonly hubUrl: string;
  readonly hasToken: boolean;
}

async function refuse(response: Response, what: string, access: Access): Promise<void> {
  if (response.ok) return;
  const code = response.headers.get('x-error-code') ?? '';
  // The library's own answer to a missing file.
  if (response.status === 404 && code === 'EntryNotFound') return;
  const explanation = response.headers.get('x-error-message') ?? '';
  await response.body?.cancel();
  throw refusal(
    what,
    response,
    { unauthorized: unauthorizedRemedy(code, access), notFound: notFoundRemedy(code, access) },
    explanation.replace(/\.$/, ''),
  );
}

function unauthorizedRemedy(code: string, { location, hubUrl, hasToken }: Access): string {
  const page = `${hubUrl}/${location.use === 'dataset' ? 'datasets/' : ''}${location.repository}`;
  const setToken = `set HF_TOKEN where the worker runs, to a token made at ${hubUrl}/settings/tokens`;
  if (code === 'GatedRepo') {
    return hasToken
      ? `accept its conditions at ${page} with the account that HF_TOKEN belongs to`
      : `accept its conditions at ${page}, then ${setToken}`;
  }
  return hasToken
    ? 'it does not exist, or HF_TOKEN may not read it: check the name, and the rights of the token'
    : `it does not exist, or is private: check the name, or ${setToken}`;
}

function notFoundRemedy(code: string, { location, hubUrl, hasToken }: Access): string {
  if (code === 'RevisionNotFound') {
    return `the repository has no branch, tag or commit "${location.revision}"`;
  }
  return hasToken
    ? `check the name at ${hubUrl}`
    : `check the name at ${hubUrl}, or set HF_TOKEN where the worker runs if it is private`;
}
