import fc from 'fast-check';

/** The strategy of a step that rewrites a text, once for each of some texts. */
export interface RandomMatrix {
  readonly texts: readonly string[];
  /** Written out, of a param, or the lines that the step at a place listed. */
  readonly from: 'file' | 'param' | { readonly list: number };
  /** Whether it goes over the outputs of the entries that it reads, too. */
  readonly isOverEntries: boolean;
  /** Adds to the entry `a`, or an entry where there is none. */
  readonly hasInclude: boolean;
  /** Leaves `row` out. */
  readonly hasExclude: boolean;
  readonly maxParallel: number | null;
  readonly failFast: boolean;
}

export type MatrixEdit = 'grow' | 'shrink' | 'value' | 'include' | 'exclude';

const TEXTS = ['a', 'b', 'c', 'row'];

export const matrixGene = fc.record({
  texts: fc.uniqueArray(fc.constantFrom(...TEXTS), { minLength: 2, maxLength: 3 }),
  from: fc.constantFrom('file', 'param', 'list'),
  isOverEntries: fc.boolean(),
  hasInclude: fc.boolean(),
  hasExclude: fc.boolean(),
  maxParallel: fc.option(fc.constantFrom(1, 2)),
  failFast: fc.boolean(),
});
type MatrixGene = typeof matrixGene extends fc.Arbitrary<infer T> ? T : never;

/**
 * @param lists places of the steps before it that list lines
 * @param entries whether it reads a step with a matrix
 */
export function matrixOf(
  gene: MatrixGene,
  lists: readonly number[],
  entries: boolean,
): RandomMatrix {
  const list = lists.at(-1);
  const listed = list === undefined ? 'param' : { list };
  const from = gene.from === 'list' ? listed : gene.from;
  const isOverEntries = entries && gene.isOverEntries;
  // An entry that `include` adds has no entry to read.
  return { ...gene, from, isOverEntries, hasInclude: gene.hasInclude && !isOverEntries };
}

export function editedMatrix(matrix: RandomMatrix, kind: MatrixEdit, at: number): RandomMatrix {
  const { texts } = matrix;
  switch (kind) {
    case 'grow':
      return { ...matrix, texts: texts.toSpliced(at % (texts.length + 1), 0, `new${at}`) };
    case 'shrink':
      // Dependents read the first entry.
      return texts.length < 3 ? matrix : { ...matrix, texts: texts.toSpliced(at % 3, 1) };
    case 'value':
      return { ...matrix, texts: texts.with(at % texts.length, `other${at}`) };
    case 'include':
      return { ...matrix, hasInclude: !matrix.hasInclude && !matrix.isOverEntries };
    case 'exclude':
      return { ...matrix, hasExclude: !matrix.hasExclude };
  }
}
