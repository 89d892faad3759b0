import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { connectionError, serverConfiguration } from '../../cli/connection.ts';
import { temporaryFolder } from '../setup/folders.ts';

afterEach(() => vi.unstubAllEnvs());

function stubEnv(env: Readonly<Record<string, string>>): void {
  const variables = Object.keys(process.env).filter((name) => name.startsWith('TEMPORAL_'));
  for (const name of variables) vi.stubEnv(name, undefined);
  // Not the temporal.toml of whoever runs the tests.
  vi.stubEnv('TEMPORAL_CONFIG_FILE', '/no/such/temporal.toml');
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

test('without settings: the Temporal CLI’s own', () => {
  stubEnv({});
  expect(serverConfiguration()).toEqual({
    connectionOptions: { address: 'localhost:7233' },
    namespace: 'default',
  });
});

test('address, namespace, API key and TLS come from TEMPORAL_ variables', async () => {
  const folder = await temporaryFolder();
  for (const name of ['ca', 'cert', 'key']) await writeFile(join(folder, name), `the ${name}`);
  stubEnv({
    TEMPORAL_ADDRESS: 'team.tmprl.cloud:7233',
    TEMPORAL_NAMESPACE: 'team',
    TEMPORAL_API_KEY: 'secret',
    TEMPORAL_TLS_SERVER_NAME: 'temporal.internal',
    TEMPORAL_TLS_SERVER_CA_CERT_PATH: join(folder, 'ca'),
    TEMPORAL_TLS_CLIENT_CERT_PATH: join(folder, 'cert'),
    TEMPORAL_TLS_CLIENT_KEY_PATH: join(folder, 'key'),
  });
  const { connectionOptions, namespace } = serverConfiguration();
  expect([connectionOptions.address, namespace]).toEqual(['team.tmprl.cloud:7233', 'team']);
  expect(connectionOptions).toMatchObject({
    apiKey: 'secret',
    tls: {
      serverNameOverride: 'temporal.internal',
      serverRootCACertificate: bytes('the ca'),
      clientCertPair: { crt: bytes('the cert'), key: bytes('the key') },
    },
  });
});

test('so does a profile of temporal.toml', async () => {
  const file = join(await temporaryFolder(), 'temporal.toml');
  const profile = '[profile.prod]\naddress = "prod:7233"\nnamespace = "trainers"\n';
  await writeFile(file, profile);
  stubEnv({ TEMPORAL_CONFIG_FILE: file, TEMPORAL_PROFILE: 'prod' });
  expect(serverConfiguration()).toEqual({
    connectionOptions: { address: 'prod:7233' },
    namespace: 'trainers',
  });
});

test('settings that cannot be used are said with where to look', () => {
  stubEnv({ TEMPORAL_TLS_CLIENT_CERT_PATH: '/no/such', TEMPORAL_TLS_CLIENT_KEY_PATH: '/no/such' });
  expect(() => serverConfiguration()).toThrow(
    "Temporal's client configuration cannot be used: ENOENT: no such file or directory, open " +
      "'/no/such': check the TEMPORAL_ variables and the file that TEMPORAL_CONFIG_FILE names",
  );
});

test.each([
  [
    new Error('Failed to connect before the deadline'),
    false,
    "no Temporal server answers at host:7233 (Failed to connect before the deadline): start one with 'npm run dev', or set TEMPORAL_ADDRESS to yours",
  ],
  [
    new Error('Failed to connect before the deadline'),
    true,
    "no Temporal server answers at host:7233 (Failed to connect before the deadline): start one with 'npm run dev', or set TEMPORAL_ADDRESS to yours; TLS was asked for, by TEMPORAL_TLS or an API key: see that it serves TLS",
  ],
  [
    new Error('Failed to connect to Temporal server', {
      cause: new Error('16 UNAUTHENTICATED: Request unauthorized.\nmore'),
    }),
    true,
    'the Temporal server at host:7233 refuses this client (Failed to connect to Temporal server: 16 UNAUTHENTICATED: Request unauthorized.): check TEMPORAL_API_KEY, or the client certificate of TEMPORAL_TLS_CLIENT_CERT_PATH',
  ],
  [
    new Error('tonic::transport::Error(Transport, InvalidMessage(InvalidContentType))'),
    true,
    'no secure connection to the Temporal server at host:7233 (tonic::transport::Error(Transport, InvalidMessage(InvalidContentType))): check TEMPORAL_TLS and the TEMPORAL_TLS_ variables',
  ],
])('%s: what to do', (error, isSecure, message) => {
  expect(connectionError(error, 'host:7233', isSecure).message).toBe(message);
});
