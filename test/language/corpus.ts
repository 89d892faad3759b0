import fc from 'fast-check';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { catalog as ownCatalog } from '../../activities/catalog.ts';
import type { Catalog } from '../../language/catalog.ts';
import { catalog as goldenCatalog } from './catalog.ts';

const CATALOGS = { pipelines: ownCatalog, golden: goldenCatalog };

/** A file that a person could have written, and where the step kinds are that it speaks of. */
export interface Written {
  readonly text: string;
  readonly folder: keyof typeof CATALOGS;
}

export function catalogOf({ folder }: Pick<Written, 'folder'>): Catalog {
  return CATALOGS[folder];
}

/** The pipelines of pipelines/, and what the golden tests read, good and bad. */
export const corpus: readonly Written[] = [
  ...filesOf('../../pipelines', 'pipelines'),
  ...filesOf('golden', 'golden'),
];

function filesOf(at: string, folder: Written['folder']): readonly Written[] {
  const root = path.join(import.meta.dirname, at);
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.yaml'))
    .sort()
    .map((file) => ({ text: readFileSync(path.join(root, file), 'utf8'), folder }));
}

const anywhere = fc.double({ min: 0, max: 1, noNaN: true });

/** What means something to YAML, to expressions or to the language. */
const TOKENS = [
  ...['${{', '}}', '${{ params.', "'", '"', '{', '}', '[', ']', ': ', ':', '- ', ', ', '#', ' #'],
  ...[
    '\n',
    '\n  ',
    '\n      ',
    '\r',
    '\r\n',
    '\t',
    ' '.repeat(500),
    '\uFEFF',
    '\0',
    '\u202E',
    '😀',
  ],
  ...['&a ', '*a', '<<: *a\n', '<<: ', '!x ', '!!binary ', '|\n', '>-\n', '? ', '---\n', '...\n'],
  ...['%YAML 1.1\n', '~', 'null', 'yes', '1e999', '0x', '-0', '.nan', '1_000', '2026-01-01'],
  ...['__proto__: 1\n', 'constructor', 'toString', 'prototype', 'hasOwnProperty', 'steps.', '@1'],
  ...['.outputs', 'success()', 'always()', 'format(', ' && ', ' == ', '.*', '[0]', "['x']", '!'],
  ...['uses: ', 'with: ', 'needs: ', 'if: ', 'strategy: ', 'secrets.X', 'matrix.x', 'on_failure: '],
];

export type Edit = (text: string) => string;

/** Text put in, left out, said twice or taken from another file. */
const tokenEdit: fc.Arbitrary<Edit> = fc.oneof(
  fc
    .tuple(anywhere, fc.nat(30), fc.constantFrom(...TOKENS))
    .map(([at, cut, token]) => splice(at, cut, token)),
  fc
    .tuple(anywhere, fc.nat(6), fc.string({ maxLength: 6, unit: 'binary' }))
    .map(([at, cut, put]) => splice(at, cut, put)),
  fc.tuple(anywhere, anywhere).map(([from, to]) => moveLine(from, to)),
  fc
    .tuple(anywhere, fc.nat(200), anywhere, fc.constantFrom(...corpus))
    .map(([at, length, from, { text: other }]) => {
      const start = Math.floor(from * other.length);
      return splice(at, 0, other.slice(start, start + length));
    }),
);

function splice(at: number, cut: number, put: string): Edit {
  return (text) => {
    const start = Math.floor(at * text.length);
    return text.slice(0, start) + put + text.slice(start + cut);
  };
}

/** A line is said a second time elsewhere. */
function moveLine(from: number, to: number): Edit {
  return (text) => {
    const lines = text.split('\n');
    const line = lines[Math.floor(from * lines.length)] ?? '';
    return lines.toSpliced(Math.floor(to * lines.length), 0, line).join('\n');
  };
}

/** A file of the corpus after a few edits of its text. */
export const editedText: fc.Arbitrary<Written> = fc
  .tuple(fc.constantFrom(...corpus), fc.array(tokenEdit, { minLength: 1, maxLength: 8 }))
  .map(([{ text, folder }, edits]) => ({
    text: edits.reduce((edited, edit) => edit(edited), text),
    folder,
  }));

interface ByteEdit {
  readonly at: number;
  readonly cut: number;
  readonly put: Uint8Array;
}

const byteEdit: fc.Arbitrary<ByteEdit> = fc.record({
  at: anywhere,
  cut: fc.nat(8),
  put: fc.uint8Array({ maxLength: 8 }),
});

/** A file of the corpus after a few edits of its bytes; most are no longer UTF-8. */
export const editedBytes: fc.Arbitrary<Pick<Written, 'folder'> & { bytes: Uint8Array }> = fc
  .tuple(fc.constantFrom(...corpus), fc.array(byteEdit, { minLength: 1, maxLength: 6 }))
  .map(([{ text, folder }, edits]) => ({
    bytes: edits.reduce<Uint8Array>(withEdit, new TextEncoder().encode(text)),
    folder,
  }));

function withEdit(bytes: Uint8Array, { at, cut, put }: ByteEdit): Uint8Array {
  const start = Math.floor(at * bytes.length);
  return Uint8Array.from([...bytes.subarray(0, start), ...put, ...bytes.subarray(start + cut)]);
}
