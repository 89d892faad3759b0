import { createReadStream } from 'node:fs';
import { basename } from 'node:path';
import type { JsonObject } from '../../plan/json.ts';
import { readParamTexts } from '../../language/param-texts.ts';
import { MAX_SOURCE_BYTES, STDIN_NAME } from '../../language/source.ts';
import { CommandError, UnreadableFile } from '../command-error.ts';
import { userPath } from '../user-path.ts';

export interface PipelineFile {
  readonly source: Uint8Array;
  /** The path as the person wrote it, for diagnostics. */
  readonly sourceName: string;
}

/**
 * @param file `-` is standard input
 * @throws UnreadableFile
 */
export async function readPipelineFile(file: string): Promise<PipelineFile> {
  try {
    const isStdin = file === '-';
    const source = await readStart(isStdin ? '' : userPath(file), isStdin ? { fd: 0 } : {});
    return { source, sourceName: isStdin ? STDIN_NAME : file };
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? error.code : undefined;
    throw new UnreadableFile(`cannot read '${file}': ${explain(reason)}`, { cause: error });
  }
}

/** A pipe or a device has no size to look at, and may never end: the byte too many is the last that is read. */
async function readStart(path: string, from: { readonly fd?: number }): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let length = 0;
  // Without `end`, which would read a pipe by position.
  for await (const chunk of createReadStream(path, from)) {
    chunks.push(chunk as Buffer);
    length += (chunk as Buffer).length;
    if (length > MAX_SOURCE_BYTES) break;
  }
  return Buffer.concat(chunks).subarray(0, MAX_SOURCE_BYTES + 1);
}

function explain(code: unknown): string {
  switch (code) {
    case 'ENOENT':
      return 'there is no such file; pipelines/ has some to start from';
    case 'EISDIR':
      return 'it is a folder; name the YAML file in it';
    case 'EACCES':
      return 'permission denied; make it readable';
    default:
      return String(code);
  }
}

/**
 * `-p name=value` options as typed params; of two with one name the later counts.
 * @throws CommandError with every option that does not fit
 */
export function paramsOf(
  source: Uint8Array,
  options: readonly string[] = [],
): JsonObject | undefined {
  if (options.length === 0) return undefined;
  const texts = new Map<string, string>();
  for (const option of options) {
    const at = option.indexOf('=');
    if (at < 1) throw new CommandError(`-p ${option}: expected name=value, such as -p rows=500`);
    texts.set(option.slice(0, at), option.slice(at + 1));
  }
  const { params, problems } = readParamTexts(source, texts);
  if (problems.length > 0) throw new CommandError(problems.join('\n'));
  return params;
}

/** `name-20260131-120000`: an id for a run that was given none. */
export function newRunId(pipeline: string, file: string, now = new Date()): string {
  const time = now.toISOString().replaceAll(/[-:]/g, '').replace('T', '-').slice(0, 15);
  return `${pipeline || basename(file)}-${time}`;
}
