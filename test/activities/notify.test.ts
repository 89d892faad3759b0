import type { IncomingHttpHeaders } from 'node:http';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { notify } from '../../activities/notify.ts';
import { signed } from '../../activities/webhook.ts';
import type { JsonObject, JsonValue } from '../../plan/json.ts';
import { cleanUp } from '../setup/cleanup.ts';
import { type Handler, startFileServer } from '../servers/file-server.ts';
import { KindRunner } from './kind-runner.ts';

async function serverWith(handler: Handler): Promise<string> {
  const server = await startFileServer();
  cleanUp(() => server.close());
  server.on('/hook/of-a-person', handler);
  return `${server.url}/hook/of-a-person`;
}

async function send(inputs: JsonObject): Promise<Record<string, JsonValue>> {
  return (await KindRunner.open()).run(notify, inputs);
}

test('the signature is that of the Standard Webhooks', () => {
  // Of their own libraries' tests.
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
  const message = { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', secret };
  expect(signed(message, '{"test": 2432232314}', 1_614_265_330_000)).toEqual({
    'webhook-id': message.id,
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  });
});

test.each<[JsonObject | string, string, string]>([
  [{ run: 'a', scores: [1, 0.5] }, '{"run":"a","scores":[1,0.5]}', 'application/json'],
  ['done – all of it', 'done – all of it', 'text/plain; charset=utf-8'],
])('sends %j, signed', async (body, content, type) => {
  let headers: IncomingHttpHeaders = {};
  let received = '';
  const url = await serverWith((request, response) => {
    headers = request.headers;
    void text(request).then((found) => {
      received = found;
      response.writeHead(202).end('ignored');
    });
  });
  const secret = 'a secret of a person';
  expect(await send({ url, body, secret })).toEqual({ status: 202 });
  expect(received).toBe(content);
  const at = 1000 * Number(headers['webhook-timestamp']);
  expect(Math.abs(Date.now() - at)).toBeLessThan(60_000);
  const id = 'run/execution/notify';
  expect(headers).toMatchObject({ 'content-type': type, ...signed({ id, secret }, content, at) });
});

test('without a secret there is no signature', async () => {
  let headers: IncomingHttpHeaders = {};
  const url = await serverWith((request, response) => {
    headers = request.headers;
    response.end();
  });
  await send({ url, body: '' });
  expect(headers['webhook-id']).toBe('run/execution/notify');
  expect(headers['webhook-signature']).toBeUndefined();
});

test.each<[number, Record<string, string>, object]>([
  [500, {}, { type: 'SourceUnavailable' }],
  [429, { 'retry-after': '3' }, { type: 'RateLimited', retryAfterMs: 3000 }],
  [403, {}, { type: 'Unauthorized' }],
  [404, {}, { type: 'NotFound' }],
  [302, { location: '/elsewhere' }, { type: 'InvalidInput' }],
])(
  'an answer %i fails the step, and says nothing of the path',
  async (status, headers, failure) => {
    const url = await serverWith((_, response) => response.writeHead(status, headers).end());
    const error: unknown = await send({ url, body: 'x' }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject(failure);
    expect((error as Error).message).toMatch(/^http:\/\/127\.0\.0\.1:\d+: the server answered \d+/);
    expect((error as Error).message).not.toContain('of-a-person');
  },
);

test.each([
  [
    'http://example.com/hook',
    'the message would travel without encryption: use https: (http: is for this machine alone)',
  ],
  ['hook', 'url is not a URL; expected https://HOST/PATH'],
])('%s cannot be sent to', async (url, message) => {
  await expect(send({ url, body: 'x' })).rejects.toThrow(message);
});

test('a server that is not there is tried again later', async () => {
  const server = await startFileServer();
  await server.close();
  await expect(send({ url: server.url, body: 'x' })).rejects.toMatchObject({
    type: 'SourceUnavailable',
    message: expect.stringContaining(
      `${server.url}: the connection failed (ECONNREFUSED`,
    ) as string,
  });
});
