import { Document, isScalar, visit } from 'yaml';
import type { JsonObject } from '../plan/json.ts';
import { isDeeper, MAX_DEPTH } from '../plan/json-depth.ts';
import { Reporter } from './reporter.ts';
import { SourceText } from './source-text.ts';

/** A pipeline as it is submitted: bytes of YAML, YAML, or the object that the YAML would give. */
export type PipelineText = Uint8Array | string | JsonObject;

/** Whoever reads a file needs to read no more of it than one byte above. */
export const MAX_SOURCE_BYTES = 1024 * 1024;

/** The name of a text that has no file: it came through a pipe. */
export const STDIN_NAME = '<stdin>';

/**
 * The text that a submission stands for, and a reporter for what is found in it. An object is
 * written as YAML first, so that every diagnostic has a place. Rule `source`.
 */
export function readSource(submitted: PipelineText, file: string): Reporter {
  if (typeof submitted === 'string') return checked(file, submitted);
  if (submitted instanceof Uint8Array) return readBytes(submitted, file);
  if (typeof submitted !== 'object' || submitted === null || Array.isArray(submitted)) {
    return refused(file, 'the pipeline is not a map; expected YAML as text, or an object');
  }
  if (isDeeper(submitted, MAX_DEPTH)) {
    return refused(file, `the object nests more than ${MAX_DEPTH} levels deep; flatten it`);
  }
  return checked(file, yamlOf(submitted));
}

function yamlOf(submitted: JsonObject): string {
  const document = new Document(submitted, { aliasDuplicateObjects: false });
  visit(document, {
    Pair: (_, { key }) => {
      // Without quotes it would merge.
      if (isScalar(key) && key.value === '<<') key.type = 'QUOTE_SINGLE';
    },
  });
  return document.toString({ lineWidth: 0 });
}

function readBytes(bytes: Uint8Array, file: string): Reporter {
  if (bytes.length > MAX_SOURCE_BYTES) return tooLarge(file);
  const [first, second] = bytes;
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) {
    return refused(file, 'the file is UTF-16; expected UTF-8; save it as UTF-8');
  }
  try {
    return checked(file, new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    const text = withLineFeeds(new TextDecoder('utf-8').decode(bytes));
    const reporter = new Reporter(new SourceText(file, text));
    const { start, byte } = firstInvalid(bytes, text);
    const message = `byte ${byte} is not UTF-8; save the file as UTF-8`;
    reporter.error('source', { start, end: start + 1 }, message);
    return reporter;
  }
}

function checked(file: string, given: string): Reporter {
  const text = withLineFeeds(given.replace(/^\uFEFF/, ''));
  if (byteLength(text) > MAX_SOURCE_BYTES) return tooLarge(file);
  const reporter = new Reporter(new SourceText(file, text));
  if (text.trim() === '') {
    const message = 'the file is empty; a pipeline has at least name: NAME and steps: { ... }';
    reporter.error('source', { start: 0, end: 0 }, message);
  }
  return reporter;
}

/** YAML 1.2 takes a CR alone as a line end too, which the library does not; offsets stay. */
function withLineFeeds(text: string): string {
  return text.replaceAll(/\r(?!\n)/g, '\n');
}

function tooLarge(file: string): Reporter {
  return refused(file, `the file has more than ${MAX_SOURCE_BYTES} bytes; split the pipeline`);
}

function refused(file: string, message: string): Reporter {
  const reporter = new Reporter(new SourceText(file, ''));
  reporter.error('source', { start: 0, end: 0 }, message);
  return reporter;
}

/** The first character that stands for bytes which are not UTF-8, and the offset of those bytes. */
function firstInvalid(bytes: Uint8Array, text: string): { start: number; byte: number } {
  let start = text.indexOf('\uFFFD');
  let byte = byteLength(text.slice(0, start));
  // U+FFFD can also stand in the file itself, as the bytes EF BF BD.
  while (bytes[byte] === 0xef && bytes[byte + 1] === 0xbf && bytes[byte + 2] === 0xbd) {
    const next = text.indexOf('\uFFFD', start + 1);
    byte += byteLength(text.slice(start, next));
    start = next;
  }
  return { start, byte };
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}
