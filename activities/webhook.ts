import { createHmac } from 'node:crypto';
import { requireEncrypted } from '../data/sources/https.ts';
import { Watchdog } from '../data/sources/transfer.ts';
import { connectionFailure, refusal } from '../data/sources/upstream-failure.ts';
import { Failure } from '../plan/failures.ts';

/** A server that has not answered by then is asked again. */
const ANSWER_MS = 30_000;
const REMEDIES = {
  unauthorized: 'check the URL and the secret',
  notFound: 'check the URL',
};

export interface Webhook {
  /** The same each time that it is sent: a receiver knows a message that it has. */
  readonly id: string;
  readonly url: string;
  readonly body: string | Readonly<Record<string, unknown>>;
  /** Key of the signature: a text, or `whsec_` and base64. */
  readonly secret?: string | undefined;
}

/**
 * Sends a message by POST, with the headers of the Standard Webhooks: `webhook-id`,
 * `webhook-timestamp` and, with a secret, `webhook-signature`. Messages name the server alone: the
 * rest of a webhook's URL often says who may send.
 *
 * @returns the status of the answer, 200 to 299
 * @throws Failure what the answer stands for; a redirection is none that a signed message follows
 */
export async function sendWebhook(webhook: Webhook, signal: AbortSignal): Promise<number> {
  const url = parsed(webhook.url);
  const watchdog = new Watchdog(url.origin, { signal, stallTimeoutMs: ANSWER_MS });
  return watchdog.run(async () => {
    const { content, type } = contentOf(webhook.body);
    const headers = { 'content-type': type, ...signed(webhook, content, Date.now()) };
    const request = { method: 'POST', headers, body: content, redirect: 'manual' } as const;
    const response = await fetch(url, { ...request, signal: watchdog.signal }).catch(
      (error: unknown) => {
        throw connectionFailure(url.origin, error);
      },
    );
    await response.body?.cancel();
    if (response.ok) return response.status;
    throw refusal(url.origin, response, REMEDIES);
  });
}

function parsed(text: string): URL {
  try {
    return requireEncrypted(new URL(text), 'the message');
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure('InvalidInput', 'url is not a URL; expected https://HOST/PATH');
  }
}

function contentOf(body: Webhook['body']): { readonly content: string; readonly type: string } {
  return typeof body === 'string'
    ? { content: body, type: 'text/plain; charset=utf-8' }
    : { content: JSON.stringify(body), type: 'application/json' };
}

const ENCODED = 'whsec_';

/**
 * Headers of a message. Source: Standard Webhooks 1.0: HMAC-SHA256 of `id.timestamp.content`, in base64.
 *
 * @param at milliseconds since the epoch
 */
export function signed(
  { id, secret }: Pick<Webhook, 'id' | 'secret'>,
  content: string,
  at: number,
): Readonly<Record<string, string>> {
  const timestamp = String(Math.floor(at / 1000));
  // A header holds no other characters.
  const sent = encodeURI(id);
  const headers = { 'webhook-id': sent, 'webhook-timestamp': timestamp };
  if (secret === undefined) return headers;
  const key = secret.startsWith(ENCODED)
    ? Buffer.from(secret.slice(ENCODED.length), 'base64')
    : Buffer.from(secret);
  const digest = createHmac('sha256', key).update(`${sent}.${timestamp}.${content}`);
  return { ...headers, 'webhook-signature': `v1,${digest.digest('base64')}` };
}
