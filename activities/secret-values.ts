import { readFile, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { Failure } from '../plan/failures.ts';
import { SECRET_NAME, SECRET_VARIABLE } from '../plan/secret-inputs.ts';
import { errorCode } from '../store/fs-files.ts';
import type { Redactor } from './redactor.ts';
import { LEAST_SECRET_LENGTH } from './secret-forms.ts';

/** Where Docker mounts secrets; Kubernetes mounts them where a pod says. */
const DEFAULT_FOLDER = '/run/secrets';
const MAX_BYTES = 64 * 2 ** 10;

export interface SecretSources {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Is told every value, before anybody else has it. */
  readonly redactor: Redactor;
}

/**
 * The values of secrets as they are now, by name: of NAME the environment variable
 * `RETUNE_SECRET_NAME`, else the file `$RETUNE_SECRETS_DIR/NAME` (default /run/secrets) without one
 * newline at its end. A blank one counts as none.
 *
 * @throws InvalidInput for one that is not set, too short or not text
 */
export async function readSecrets(
  names: readonly string[],
  sources: SecretSources,
): Promise<ReadonlyMap<string, string>> {
  const values = new Map<string, string>();
  const unset: string[] = [];
  for (const name of names) {
    const value = await readSecret(name, sources.env);
    if (value.trim() === '') unset.push(name);
    else values.set(name, value);
    sources.redactor.add(value);
  }
  if (unset.length > 0) throw new Failure('InvalidInput', unsetMessage(unset, sources.env));
  for (const [name, value] of values) {
    if (value.trim().length < LEAST_SECRET_LENGTH)
      throw new Failure('InvalidInput', shortMessage(name));
  }
  return values;
}

/** The value, or nothing where there is none. */
async function readSecret(name: string, env: SecretSources['env']): Promise<string> {
  // The compiler has checked it; a name from elsewhere must not be a path either.
  if (!SECRET_NAME.test(name)) throw new Failure('InvalidInput', `'${name}' cannot name a secret`);
  return env[SECRET_VARIABLE + name] || (await readSecretFile(name, fileOf(name, env)));
}

function fileOf(name: string, env: SecretSources['env']): string {
  return resolve(env['RETUNE_SECRETS_DIR'] || DEFAULT_FOLDER, name);
}

async function readSecretFile(name: string, path: string): Promise<string> {
  const problem = (what: string): Failure =>
    new Failure('InvalidInput', `secret '${name}': ${path} ${what}`);
  try {
    // Symbolic links are followed: Kubernetes mounts NAME -> ..data/NAME, ..data -> ..TIME.
    const found = await stat(path);
    if (!found.isFile()) throw problem('is no file: expected one with the value in it');
    if (found.size > MAX_BYTES) {
      throw problem(`has ${found.size} bytes: expected at most ${MAX_BYTES}`);
    }
    const bytes = await readFile(path);
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes).replace(/\r?\n$/, '');
  } catch (error) {
    if (error instanceof Failure) throw error;
    const code = errorCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return '';
    if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') throw problem('is not UTF-8 text');
    throw problem(`cannot be read (${code ?? String(error)}): give the worker access to it`);
  }
}

function unsetMessage(names: readonly string[], env: SecretSources['env']): string {
  const places = names.map(
    (name) =>
      `secret '${name}' is not set: found neither the environment variable ` +
      `${SECRET_VARIABLE}${name} nor the file ${fileOf(name, env)}`,
  );
  return `${places.join('; ')}; set one of them for the worker on ${hostname()}, and submit again`;
}

function shortMessage(name: string): string {
  return (
    `secret '${name}' is too short to be kept out of logs and records: expected at least ` +
    `${LEAST_SECRET_LENGTH} characters; what is no secret can be a param`
  );
}
