import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { Payload } from '@temporalio/common';
import { CommandError } from '../command-error.ts';
import { printLines } from '../output.ts';
import { CODEC_VARIABLE, dataConverterOf, type EncryptionCodec } from '../payload-codec.ts';
import { LOOPBACK } from '../port.ts';

interface CodecServerFlags {
  readonly port: string;
  readonly allowOrigin?: string;
}

/** The JSON of a payload: values are in base64. */
interface JsonPayload {
  readonly metadata?: Readonly<Record<string, string>>;
  readonly data?: string;
}

const MAX_BYTES = 16 * 1024 * 1024;

/**
 * `retune codec-server`: decrypts and encrypts for the Temporal CLI (`--codec-endpoint`) and web UI,
 * as https://docs.temporal.io/codec-server has it; on this machine alone, until Ctrl-C.
 */
export async function codecServer({ port, allowOrigin }: CodecServerFlags): Promise<number> {
  const codec = dataConverterOf(process.env)?.codec;
  if (codec === undefined) {
    throw new CommandError(
      `there is no codec: let ${CODEC_VARIABLE} name the workers' file of keys`,
    );
  }
  const cors = allowOrigin && {
    'access-control-allow-origin': allowOrigin,
    'access-control-allow-headers': 'content-type,x-namespace',
  };
  const server = createServer((request, response) => {
    const answer = (code: number, body: object): void => {
      response.writeHead(code, { 'content-type': 'application/json', ...cors });
      response.end(JSON.stringify(body));
    };
    if (request.method === 'OPTIONS') return answer(200, {});
    const method = /\/(encode|decode)$/.exec(request.url ?? '')?.[1] as 'encode' | 'decode';
    if (request.method !== 'POST' || !method) {
      return answer(404, { error: 'expected POST /encode or /decode' });
    }
    convert(codec, method, request).then(
      (payloads) => answer(200, { payloads }),
      (error: unknown) => answer(400, { error: (error as Error).message }),
    );
  });
  server.listen(Number(port), LOOPBACK);
  try {
    await once(server, 'listening');
  } catch (error) {
    const reason = (error as Error).message;
    throw new CommandError(`cannot listen on port ${port} (${reason}): give --port another`);
  }
  printLines([`codec server: temporal ... --codec-endpoint http://${LOOPBACK}:${port}`]);
  await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
  server.close();
  server.closeAllConnections();
  return 0;
}

async function convert(
  codec: EncryptionCodec,
  method: 'encode' | 'decode',
  request: IncomingMessage,
): Promise<readonly JsonPayload[]> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BYTES) throw new Error(`expected at most ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  const { payloads = [] } = JSON.parse(Buffer.concat(chunks).toString()) as {
    payloads?: readonly JsonPayload[];
  };
  const converted = await codec[method](payloads.map(fromJson));
  return converted.map(toJson);
}

function fromJson({ metadata = {}, data = '' }: JsonPayload): Payload {
  const values = Object.entries(metadata).map(([name, value]) => [
    name,
    Buffer.from(value, 'base64'),
  ]);
  return {
    metadata: Object.fromEntries(values) as Record<string, Uint8Array>,
    data: Buffer.from(data, 'base64'),
  };
}

function toJson({ metadata, data }: Payload): JsonPayload {
  const values = Object.entries(metadata ?? {}).map(([name, value]) => [
    name,
    Buffer.from(value).toString('base64'),
  ]);
  return {
    metadata: Object.fromEntries(values) as Record<string, string>,
    data: Buffer.from(data ?? []).toString('base64'),
  };
}
