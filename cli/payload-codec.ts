import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { DataConverter, Payload, PayloadCodec } from '@temporalio/common';
import { CommandError } from './command-error.ts';

/** As Temporal's samples name it. */
const ENCODING = 'binary/encrypted';
const KEY_ID = 'encryption-key-id';
const CIPHER = 'aes-256-gcm';
const KEY_BYTES = 32;
const IV_BYTES = 12;
const TAG_BYTES = 16;
export const CODEC_VARIABLE = 'RETUNE_PAYLOAD_CODEC';

const FORM = 'expected lines of ID KEY, KEY being 32 bytes in base64; the first encrypts';

/**
 * Encrypts what Temporal stores: data are an initialization vector, an authentication tag and the
 * encrypted payload, with AES-256-GCM; metadata name the key.
 */
export class EncryptionCodec implements PayloadCodec {
  readonly #file: string;
  readonly #keys: ReadonlyMap<string, Buffer>;
  readonly #current: readonly [string, Buffer];

  /** @throws CommandError when the file of keys cannot be used */
  constructor(file: string) {
    this.#file = file;
    const keys = readKeys(file);
    const [first] = keys;
    if (first === undefined) throw unusable(file, `it holds no key; ${FORM}`);
    this.#keys = new Map(keys);
    this.#current = first;
  }

  async encode(payloads: Payload[]): Promise<Payload[]> {
    const [id, key] = this.#current;
    return payloads.map((payload) => {
      const iv = randomBytes(IV_BYTES);
      const cipher = createCipheriv(CIPHER, key, iv).setAAD(Buffer.from(id));
      const encrypted = Buffer.concat([cipher.update(packed(payload)), cipher.final()]);
      return {
        metadata: { encoding: Buffer.from(ENCODING), [KEY_ID]: Buffer.from(id) },
        data: Buffer.concat([iv, cipher.getAuthTag(), encrypted]),
      };
    });
  }

  /** What is not encrypted stays as it is: the Temporal CLI submits without a codec, too. */
  async decode(payloads: Payload[]): Promise<Payload[]> {
    return payloads.map((payload) =>
      textOf(payload.metadata?.['encoding']) === ENCODING ? this.#decrypt(payload) : payload,
    );
  }

  #decrypt({ metadata, data }: Payload): Payload {
    const id = textOf(metadata?.[KEY_ID]);
    const key = this.#keys.get(id);
    if (key === undefined) {
      throw new CommandError(
        `Temporal holds what was encrypted with key '${id}', which ${this.#file} does not have: ` +
          'add its line below the others',
      );
    }
    const bytes = Buffer.from(data ?? []);
    const decipher = createDecipheriv(CIPHER, key, bytes.subarray(0, IV_BYTES))
      .setAAD(Buffer.from(id))
      .setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
    const encrypted = bytes.subarray(IV_BYTES + TAG_BYTES);
    try {
      return unpacked(Buffer.concat([decipher.update(encrypted), decipher.final()]));
    } catch (cause) {
      throw new CommandError(
        `Temporal holds what key '${id}' of ${this.#file} does not decrypt: is it another key of that id?`,
        { cause },
      );
    }
  }
}

/** How clients and workers read and write payloads, by $RETUNE_PAYLOAD_CODEC. @throws CommandError */
export function dataConverterOf(
  env: NodeJS.ProcessEnv,
): { readonly dataConverter: DataConverter; readonly codec: EncryptionCodec } | undefined {
  const file = env[CODEC_VARIABLE];
  if (!file) return undefined;
  const codec = new EncryptionCodec(file);
  // Messages of failures are no payloads unless they are told to be.
  const failureConverterPath = fileURLToPath(new URL('./encoded-failures.cjs', import.meta.url));
  return { dataConverter: { payloadCodecs: [codec], failureConverterPath }, codec };
}

/** What to say where the server's answer is encrypted and no codec was given. */
export function encryptedError(error: unknown): CommandError | undefined {
  const isEncrypted = error instanceof Error && error.message === `Unknown encoding: ${ENCODING}`;
  if (!isEncrypted) return undefined;
  return new CommandError(
    "what the Temporal server holds is encrypted: let RETUNE_PAYLOAD_CODEC name the workers' file of keys",
    { cause: error },
  );
}

function readKeys(file: string): readonly (readonly [string, Buffer])[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw unusable(file, (error as Error).message);
  }
  return text.split('\n').flatMap((line, index) => {
    if (line.trim() === '') return [];
    const [, id = '', encoded = ''] = /^\s*(\S+)\s+([A-Za-z0-9+/]+=*)\s*$/.exec(line) ?? [];
    const key = Buffer.from(encoded, 'base64');
    // The line itself is a secret.
    if (key.length !== KEY_BYTES) throw unusable(file, `line ${index + 1} is no key; ${FORM}`);
    return [[id, key] as const];
  });
}

function unusable(file: string, reason: string): CommandError {
  return new CommandError(
    `${CODEC_VARIABLE} names ${file}, which cannot be used: ${reason}; such a line: ` +
      'echo "$(date +%F) $(openssl rand -base64 32)"',
  );
}

/** Length and text of the metadata in JSON, with values in base64; then the data. */
function packed({ metadata, data }: Payload): Buffer {
  const values = Object.entries(metadata ?? {}).map(([name, value]) => [
    name,
    Buffer.from(value).toString('base64'),
  ]);
  const head = Buffer.from(JSON.stringify(Object.fromEntries(values)));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(head.length);
  return Buffer.concat([length, head, data ?? Buffer.alloc(0)]);
}

function unpacked(bytes: Buffer): Payload {
  const end = 4 + bytes.readUInt32BE(0);
  const head = JSON.parse(bytes.toString('utf8', 4, end)) as Record<string, string>;
  const metadata = Object.entries(head).map(([name, value]) => [
    name,
    Buffer.from(value, 'base64'),
  ]);
  return {
    metadata: Object.fromEntries(metadata) as Record<string, Uint8Array>,
    data: bytes.subarray(end),
  };
}

function textOf(bytes: Uint8Array | null | undefined): string {
  return Buffer.from(bytes ?? []).toString();
}
