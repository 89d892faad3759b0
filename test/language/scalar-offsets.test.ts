import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseDocument, Scalar, stringify } from 'yaml';
import { scalarOffsets } from '../../language/scalar-offsets.ts';

/** Each character of the value, and what stands at its place in the source. */
function pairs(source: string): readonly (readonly [string, string])[] {
  const node = parseDocument(source).get('a', true) as Scalar<string>;
  const [start = 0, end = 0] = node.range ?? [];
  const offsets = scalarOffsets(source, { start, end }, node.value);
  expect(offsets).toHaveLength(node.value.length);
  return offsets.map((offset, index) => [node.value[index] ?? '', source[offset] ?? '']);
}

test.each([
  ['plain', 'a: one  two\n   three\n\n   four\nb: 1\n'],
  ['single quotes', "a: 'it''s  one\n\n   two '\n"],
  ['a literal block', 'a: |2 # a comment\n    one\n  two\n\n  three\n'],
  ['a folded block', 'a: >-\n\n   one\n   two\n\n   three\n     four\n'],
  ['CRLF', 'a: |\r\n  one\r\n  two\r\nb: 1\r\n'],
])('%s', (_, source) => {
  for (const [value, written] of pairs(source)) {
    if (/\s/.test(value)) expect(written).toMatch(/\s/);
    else expect(written).toBe(value);
  }
});

test('an escape stands for its character', () => {
  const source = String.raw`a: "\u0078\U0001F600\x41\n \t\"\\z \
    y"
`;
  const found = pairs(source).filter(([value]) => !/\s/.test(value));
  expect(found).toEqual([
    ['x', '\\'],
    ['\uD83D', '\\'],
    ['\uDE00', '\\'],
    ['A', '\\'],
    ['"', '\\'],
    ['\\', '\\'],
    ['z', 'z'],
    ['y', 'y'],
  ]);
});

test('what stands in the source is found however it is written', () => {
  const styles = fc.constantFrom(
    Scalar.PLAIN,
    Scalar.QUOTE_SINGLE,
    Scalar.QUOTE_DOUBLE,
    Scalar.BLOCK_LITERAL,
    Scalar.BLOCK_FOLDED,
  );
  const piece = fc.constantFrom(
    'a',
    'b c',
    "'",
    '"',
    '\\',
    ' ',
    '\n',
    '\n\n',
    '😀',
    '${{',
    ': ',
    '\t',
  );
  fc.assert(
    fc.property(fc.array(piece, { minLength: 1, maxLength: 40 }), styles, (pieces, style) => {
      const a = new Scalar(pieces.join(''));
      a.type = style;
      const source = stringify({ a, b: 1 }, { lineWidth: 20 });
      const misplaced = pairs(source).filter(
        ([value, written]) => !/\s/.test(value) && written !== '\\' && written !== value,
      );
      expect(misplaced).toEqual([]);
    }),
    { numRuns: 1000, seed: 7 },
  );
});
