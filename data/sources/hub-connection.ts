import { Failure } from '../../plan/failures.ts';
import type { HubLocation } from './hub-source.ts';
import type { Environment, SourceOptions } from './source.ts';
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
 * @throws InvalidInput when HF_ENDPOINT is no URL or the token none
 */
export function hubConnection(
  location: HubLocation,
  what: string,
  { env, token }: Pick<SourceOptions, 'env' | 'token'>,
  watchdog: Watchdog,
): HubConnection {
  const hubUrl = endpoint(env);
  const tokenName = token === undefined ? 'HF_TOKEN' : 'the given token';
  const accessToken = checkToken(token ?? env['HF_TOKEN'], tokenName);
  let failure: Failure | undefined;
  const watchedFetch: typeof fetch = async (input, init) => {
    try {
      const response = await fetch(input, { ...init, signal: watchdog.signal });
      watchdog.touch();
      await refuse(response, what, {
        ...{ location, hubUrl },
        ...(accessToken !== undefined && { tokenName }),
      });
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

function checkToken(written: string | undefined, name: string): string | undefined {
  if (written === undefined || written === '') return undefined;
  if (!written.startsWith('hf_')) {
    throw new Failure(
      'InvalidInput',
      `${name} does not look like a token: expected hf_ and letters, as made at ` +
        `${DEFAULT_ENDPOINT}/settings/tokens`,
    );
  }
  return written;
}

interface Access {
  readonly location: HubLocation;
  readonly hubUrl: string;
  /** Of the token that was shown, if any was. */
  readonly tokenName?: string;
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

function unauthorizedRemedy(code: string, { location, hubUrl, tokenName }: Access): string {
  const page = `${hubUrl}/${location.use === 'dataset' ? 'datasets/' : ''}${location.repository}`;
  const setToken = `set HF_TOKEN where the worker runs, to a token made at ${hubUrl}/settings/tokens`;
  if (code === 'GatedRepo') {
    return tokenName !== undefined
      ? `accept its conditions at ${page} with the account that ${tokenName} belongs to`
      : `accept its conditions at ${page}, then ${setToken}`;
  }
  return tokenName !== undefined
    ? `it does not exist, or ${tokenName} may not read it: check the name, and the rights of the token`
    : `it does not exist, or is private: check the name, or ${setToken}`;
}

function notFoundRemedy(code: string, { location, hubUrl, tokenName }: Access): string {
  if (code === 'RevisionNotFound') {
    return `the repository has no branch, tag or commit "${location.revision}"`;
  }
  return tokenName !== undefined
    ? `check the name at ${hubUrl}`
    : `check the name at ${hubUrl}, or set HF_TOKEN where the worker runs if it is private`;
}
