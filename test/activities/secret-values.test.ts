import { execFileSync } from 'node:child_process';
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { Redactor } from '../../activities/redactor.ts';
import { readSecrets } from '../../activities/secret-values.ts';
import { temporaryFolder } from '../setup/folders.ts';

let folder: string;
let redactor: Redactor;
beforeEach(async () => {
  folder = await temporaryFolder();
  redactor = new Redactor();
});

async function read(
  names: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Readonly<Record<string, string>>> {
  const sources = { env: { RETUNE_SECRETS_DIR: folder, ...env }, redactor };
  return Object.fromEntries(await readSecrets(names, sources));
}

test('an environment variable comes before a file, and an empty one is none', async () => {
  await writeFile(join(folder, 'TOKEN'), 'from the file');
  expect(await read(['TOKEN'])).toEqual({ TOKEN: 'from the file' });
  const variable = 'RETUNE_SECRET_TOKEN';
  expect(await read(['TOKEN'], { [variable]: 'from the variable' })).toEqual({
    TOKEN: 'from the variable',
  });
  expect(await read(['TOKEN'], { [variable]: '' })).toEqual({ TOKEN: 'from the file' });
  await expect(read(['BLANK'], { RETUNE_SECRET_BLANK: ' '.repeat(9) })).rejects.toThrow(
    "secret 'BLANK' is not set",
  );
  await expect(read(['SHORT'], { RETUNE_SECRET_SHORT: ' short   ' })).rejects.toThrow(
    "secret 'SHORT' is too short",
  );
  // A variable of the worker that is no secret cannot be read as one.
  await expect(read(['PATH'], { PATH: '/usr/bin:/bin' })).rejects.toMatchObject({
    type: 'InvalidInput',
  });
});

test.each([
  ['a text as it is', 'hf_token value', 'hf_token value'],
  ['without one newline', 'hf_token value\n', 'hf_token value'],
  ['without one newline of Windows', 'hf_token value\r\n', 'hf_token value'],
  ['with all but the last newline', 'line one\nline two\n\n', 'line one\nline two\n'],
  ['without a byte-order mark', '\uFEFFhf_token value', 'hf_token value'],
])('of a file: %s', async (_, content, value) => {
  await writeFile(join(folder, 'TOKEN'), content);
  expect(await read(['TOKEN'])).toEqual({ TOKEN: value });
});

test('through the links that Kubernetes makes, also when it swaps them', async () => {
  for (const [version, value] of [
    ['..2026_01', 'the first value'],
    ['..2026_02', 'the second value'],
  ] as const) {
    await mkdir(join(folder, version));
    await writeFile(join(folder, version, 'TOKEN'), value);
    await rm(join(folder, '..data'), { force: true });
    await symlink(version, join(folder, '..data'));
    await rm(join(folder, 'TOKEN'), { force: true });
    await symlink('..data/TOKEN', join(folder, 'TOKEN'));
    expect(await read(['TOKEN'])).toEqual({ TOKEN: value });
  }
  expect(redactor.text('the first value, the second value')).toBe('***, ***');
});

test('what is not set is named with the places that were looked at', async () => {
  await expect(read(['TOKEN', 'OTHER'], { RETUNE_SECRET_TOKEN: '' })).rejects.toMatchObject({
    type: 'InvalidInput',
    message:
      `secret 'TOKEN' is not set: found neither the environment variable RETUNE_SECRET_TOKEN nor ` +
      `the file ${folder}/TOKEN; secret 'OTHER' is not set: found neither the environment variable ` +
      `RETUNE_SECRET_OTHER nor the file ${folder}/OTHER; set one of them for the worker on ` +
      `${hostname()}, and submit again`,
  });
  const sources = { env: {}, redactor };
  await expect(readSecrets(['TOKEN_THAT_IS_NOWHERE'], sources)).rejects.toThrow(
    'the file /run/secrets/TOKEN_THAT_IS_NOWHERE',
  );
});

const REFUSALS: readonly (readonly [string, (path: string) => Promise<unknown>, string])[] = [
  [
    'too short',
    (path) => writeFile(path, 'seven77\n'),
    "secret 'TOKEN' is too short to be kept out of logs and records: expected at least 8 characters; what is no secret can be a param",
  ],
  [
    'bytes',
    (path) => writeFile(path, Buffer.from([0x61, 0xff, 0xfe])),
    "secret 'TOKEN': FILE is not UTF-8 text",
  ],
  [
    'a folder',
    (path) => mkdir(path),
    "secret 'TOKEN': FILE is no file: expected one with the value in it",
  ],
  [
    'a pipe, which is not waited for',
    async (path) => execFileSync('mkfifo', [path]),
    "secret 'TOKEN': FILE is no file: expected one with the value in it",
  ],
  [
    'large',
    (path) => writeFile(path, 'x'.repeat(65_537)),
    "secret 'TOKEN': FILE has 65537 bytes: expected at most 65536",
  ],
  [
    'a link in a circle',
    (path) => symlink('TOKEN', path),
    "secret 'TOKEN': FILE cannot be read (ELOOP): give the worker access to it",
  ],
];

test.each(REFUSALS)('a file that is refused: %s', async (_, make, message) => {
  const path = join(folder, 'TOKEN');
  await make(path);
  await expect(read(['TOKEN'])).rejects.toMatchObject({
    type: 'InvalidInput',
    message: message.replace('FILE', path),
  });
});

test.each(['../TOKEN', '/etc/passwd', '..', '..data', 'a/b', 'a\\b', 'a b', '', '1A', 'a\0b'])(
  'a name that could be a path is none: %j',
  async (name) => {
    await writeFile(join(folder, '..data'), 'not to be read');
    const variable = `RETUNE_SECRET_${name}`;
    await expect(read([name], { [variable]: 'not to be read' })).rejects.toMatchObject({
      type: 'InvalidInput',
      message: `'${name}' cannot name a secret`,
    });
  },
);
