import { isUtf8 } from 'node:buffer';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { fileFailure } from './table.ts';
import type { TableFile } from './table.ts';

const PREFIX_BYTES = 1 << 16;
const NEWLINE = 0x0a;

const SIGNATURES: readonly (readonly [string, string])[] = [
  ['PAR1', 'it is a parquet file: set format: parquet, or rename it to .parquet'],
  ['ARROW1', 'it is an Arrow file: set format: arrow, or rename it to .arrow'],
  ['\x1f\x8b', 'it is compressed with gzip: decompress it first'],
  ['\x28\xb5\x2f\xfd', 'it is compressed with zstd: decompress it first'],
  ['PK\x03\x04', 'it is a zip archive or a spreadsheet: export it as CSV first'],
  ['\xff\xfe', 'it is UTF-16 text: convert it to UTF-8 first'],
  ['\xfe\xff', 'it is UTF-16 text: convert it to UTF-8 first'],
];

/**
 * Checks by its first bytes that a file holds text.
 * @throws InvalidInput for an empty file, another format, or bytes that no text has
 */
export async function checkText(file: TableFile): Promise<void> {
  const prefix = await readPrefix(file.path);
  if (prefix.length === 0)
    throw fileFailure(file, 'the file is empty: put rows into it, or name another one');
  for (const [signature, what] of SIGNATURES) {
    if (prefix.subarray(0, signature.length).equals(Buffer.from(signature, 'latin1'))) {
      throw fileFailure(file, what);
    }
  }
  if (prefix.includes(0)) {
    throw fileFailure(file, 'it holds binary data, not text: check that it is the right file');
  }
}

/** A failure for the first line that is not UTF-8 or holds a zero byte, if there is one. */
export async function findBadText(file: TableFile): Promise<Error | undefined> {
  for await (const { line, number } of linesOf(file.path)) {
    if (!isUtf8(line)) {
      return fileFailure(
        file,
        `line ${number} is not UTF-8 text: convert the file first, as with iconv -f WINDOWS-1252 -t UTF-8`,
      );
    }
    if (line.includes(0)) {
      return fileFailure(
        file,
        `line ${number} holds a zero byte, which is no text: remove it, or check that it is the ` +
          'right file',
      );
    }
  }
  return undefined;
}

/** The lines of a file as bytes, numbered from 1, without their newlines. */
export async function* linesOf(path: string): AsyncGenerator<{ line: Buffer; number: number }> {
  let rest: Buffer[] = [];
  let number = 0;
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(NEWLINE, start);
      if (end === -1) break;
      number += 1;
      yield { line: Buffer.concat([...rest, chunk.subarray(start, end)]), number };
      rest = [];
      start = end + 1;
    }
    rest.push(chunk.subarray(start));
  }
  const last = Buffer.concat(rest);
  if (last.length > 0) yield { line: last, number: number + 1 };
}

/** Number of the first line that is longer than so many bytes. */
export async function findLongLine(path: string, bytes: number): Promise<number | undefined> {
  let number = 1;
  let length = 0;
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(NEWLINE, start);
      length += (end === -1 ? chunk.length : end) - start;
      if (length > bytes) return number;
      if (end === -1) break;
      number += 1;
      length = 0;
      start = end + 1;
    }
  }
  return undefined;
}

/** The last bytes of a file that are no white space, at most so many, as characters. */
export async function lastCharacters(path: string, count: number): Promise<string> {
  const file = await open(path);
  try {
    let found = '';
    let { size: end } = await file.stat();
    while (end > 0 && found.length < count) {
      const start = Math.max(0, end - PREFIX_BYTES);
      const { buffer } = await file.read({ buffer: Buffer.alloc(end - start), position: start });
      found =
        buffer
          .toString('latin1')
          .replaceAll(/[ \t\r\n]/g, '')
          .slice(-count) + found;
      end = start;
    }
    return found.slice(-count);
  } finally {
    await file.close();
  }
}

export async function readPrefix(path: string, bytes = PREFIX_BYTES): Promise<Buffer> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(bytes), position: 0 });
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
