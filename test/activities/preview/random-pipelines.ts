import fc from 'fast-check';
import {
  editedMatrix,
  matrixGene,
  matrixOf,
  type MatrixEdit,
  type RandomMatrix,
} from './random-matrices.ts';

/** A step of a random pipeline, by places in the list of its steps. */
export interface RandomStep {
  readonly id: string;
  readonly kind: 'read' | (typeof KINDS)[number];
  /** Steps whose dataset it reads; each stands before it. */
  readonly reads: readonly number[];
  /** Steps that it only waits for. */
  readonly needs: readonly number[];
  readonly mode: 'append' | 'head';
  readonly text: string;
  /** Whether the text is that of a param. */
  readonly isParam: boolean;
  readonly label: 'one' | 'two';
  readonly device: 'auto' | 'cpu';
  readonly condition: Condition;
  readonly matrix?: RandomMatrix;
}

/** What an `if` asks: nothing, a param, how much a step before counted, to run in any case. */
export type Condition =
  | { readonly kind: 'none' }
  | { readonly kind: 'param'; readonly isOn: boolean }
  | { readonly kind: 'count'; readonly of: number; readonly above: number; readonly isOn: boolean }
  | { readonly kind: 'always' };

export interface RandomPipeline {
  readonly steps: readonly RandomStep[];
  /** Rows of the file that a `read` step reads, by the step's first name. */
  readonly files: Readonly<Record<string, string>>;
}

/** What happens between two runs. */
export type Edit =
  | {
      readonly kind: 'text' | 'mode' | 'file' | 'flip' | 'threshold' | 'device';
      readonly at: number;
    }
  | { readonly kind: 'add' | 'remove' | 'rename' | 'rewire' | 'wait'; readonly at: number }
  | { readonly kind: MatrixEdit; readonly at: number }
  | { readonly kind: 'corrupt' | 'delete' | 'forget'; readonly at: number }
  | { readonly kind: 'from' | 'force' | 'nothing'; readonly at: number };

const KINDS = ['rewrite', 'refine', 'join', 'count', 'list', 'compute', 'announce'] as const;
const seed = fc.nat({ max: 999 });
const gene = fc.record({
  kind: fc.constantFrom(...KINDS, 'rewrite', 'refine', 'count', 'count', 'read'),
  reads: fc.tuple(seed, seed),
  needs: fc.option(seed, { freq: 4 }),
  mode: fc.constantFrom('append', 'head'),
  text: fc.constantFrom('a', 'b', 'c'),
  isParam: fc.boolean(),
  label: fc.constantFrom('one', 'two'),
  device: fc.constantFrom('auto', 'cpu'),
  condition: fc.constantFrom('none', 'none', 'param', 'count', 'count', 'count', 'always'),
  isOn: fc.constantFrom(false, false, true),
  above: fc.nat({ max: 4 }),
  matrix: fc.option(matrixGene, { freq: 3 }),
});
type Gene = typeof gene extends fc.Arbitrary<infer T> ? T : never;

export const randomPipeline: fc.Arbitrary<RandomPipeline> = fc
  .array(gene, { minLength: 5, maxLength: 9 })
  .map((genes) => {
    const steps: RandomStep[] = [];
    for (const [i, found] of genes.entries()) steps.push(stepOf(found, i, steps));
    const sources = steps.filter(({ kind }) => kind === 'read');
    return { steps, files: Object.fromEntries(sources.map(({ id }) => [id, 'row'])) };
  });

function stepOf(found: Gene, i: number, before: readonly RandomStep[]): RandomStep {
  const kind = i === 0 ? 'read' : found.kind;
  const sources = datasetsOf(before);
  const pick = (n: number): number => sources[n % Math.max(1, sources.length)] ?? 0;
  const condition = i === 0 ? { kind: 'none' as const } : conditionOf(found, before);
  // A step that runs in any case may find that what it reads was skipped.
  const isReader = kind !== 'read' && condition.kind !== 'always';
  const [first, second] = found.reads;
  const reads = kind === 'join' ? [...new Set([pick(first), pick(second)])] : [pick(first)];
  const { matrix, ...rest } = found;
  const lists = before.flatMap((step, place) => (step.kind === 'list' ? [place] : []));
  const hasMatrix = matrix !== null && isReader && (kind === 'rewrite' || kind === 'refine');
  const isOverMatrix = before[reads[0] ?? 0]?.matrix !== undefined;
  return {
    ...rest,
    ...{ id: `s${i}`, condition },
    ...(hasMatrix && { matrix: matrixOf(matrix, lists, isOverMatrix) }),
    kind: condition.kind === 'always' ? 'announce' : kind,
    reads: isReader ? reads : [],
    needs: found.needs === null || i === 0 ? [] : [found.needs % i],
  };
}

const NO_DATASET: ReadonlySet<string> = new Set(['count', 'list', 'announce']);

/** Steps that put a dataset out, and are not skipped by an `if` that always is. */
function datasetsOf(steps: readonly RandomStep[]): readonly number[] {
  return steps.flatMap(({ kind }, i) => (NO_DATASET.has(kind) ? [] : [i]));
}

function conditionOf(
  { condition, isOn, above, reads }: Gene,
  before: readonly RandomStep[],
): Condition {
  const counts = before.flatMap(({ kind }, i) => (kind === 'count' ? [i] : []));
  const of = counts[reads[0] % Math.max(1, counts.length)];
  switch (condition) {
    case 'count':
      return of === undefined ? { kind: 'none' } : { kind: 'count', of, above, isOn };
    case 'param':
      return { kind: 'param', isOn };
    case 'always':
      return { kind: 'always' };
    default:
      return { kind: 'none' };
  }
}

const EDITS = [
  ...['text', 'text', 'mode', 'file', 'flip', 'threshold', 'device'],
  ...['grow', 'shrink', 'value', 'value', 'include', 'exclude'],
  ...['add', 'remove', 'rename', 'rewire', 'wait'],
  ...['corrupt', 'corrupt', 'delete', 'forget', 'from', 'force', 'nothing'],
] as readonly Edit['kind'][];

export const randomEdits: fc.Arbitrary<readonly Edit[]> = fc.array(
  fc.record({ kind: fc.constantFrom(...EDITS), at: seed }) as fc.Arbitrary<Edit>,
  { minLength: 1, maxLength: 3 },
);

/** The pipeline after an edit of its file or its data; others leave it as it is. */
export function edited(pipeline: RandomPipeline, { kind, at }: Edit): RandomPipeline {
  const { steps, files } = pipeline;
  const place = at % steps.length;
  const change = (how: (step: RandomStep) => Partial<RandomStep>): RandomPipeline => ({
    steps: steps.map((step, i) => (i === place ? { ...step, ...how(step) } : step)),
    files,
  });
  switch (kind) {
    case 'text':
      return change(({ text }) => ({ text: `${text}!` }));
    case 'mode':
      return change(({ mode }) => ({ mode: mode === 'head' ? 'append' : 'head' }));
    case 'device':
      return change(({ device }) => ({ device: device === 'cpu' ? 'auto' : 'cpu' }));
    case 'file': {
      const names = Object.keys(files);
      const name = names[at % names.length] ?? '';
      return { steps, files: { ...files, [name]: `${files[name] ?? ''}\nrow` } };
    }
    case 'flip':
      return change(({ condition }) => ({ condition: flipped(condition, 0) }));
    case 'threshold':
      return change(({ condition }) => ({ condition: flipped(condition, 1) }));
    case 'grow':
    case 'shrink':
    case 'value':
    case 'include':
    case 'exclude': {
      const places = steps.flatMap(({ matrix }, i) => (matrix === undefined ? [] : [i]));
      const chosen = places[at % Math.max(1, places.length)];
      const all = steps.map((step, i) =>
        step.matrix === undefined || i !== chosen
          ? step
          : { ...step, matrix: editedMatrix(step.matrix, kind, at) },
      );
      return { steps: all, files };
    }
    case 'rename':
      return change(({ id }) => ({ id: `${id}_renamed` }));
    case 'wait':
      return place === 0 ? pipeline : change(() => ({ needs: [at % place] }));
    case 'rewire': {
      const sources = datasetsOf(steps.slice(0, place));
      const read = sources[at % Math.max(1, sources.length)];
      return change(({ reads, matrix }) => ({
        reads: reads.length === 0 || read === undefined ? reads : [read],
        ...(matrix !== undefined && { matrix: { ...matrix, isOverEntries: false } }),
      }));
    }
    case 'add': {
      const [source = 0] = datasetsOf(steps).slice(at % datasetsOf(steps).length);
      const like = { ...(steps[0] as RandomStep), kind: 'rewrite', reads: [source] } as const;
      return { steps: [...steps, { ...like, id: `added${at}`, text: 'new' }], files };
    }
    case 'remove':
      return isLast(steps) ? { steps: steps.slice(0, -1), files } : pipeline;
    default:
      return pipeline;
  }
}

/** Whether nothing is lost by removing the last step: what others read stays. */
function isLast(steps: readonly RandomStep[]): boolean {
  return steps.length > 2 && steps.at(-1)?.kind !== 'read';
}

function flipped(condition: Condition, by: number): Condition {
  switch (condition.kind) {
    case 'param':
      return { ...condition, isOn: !condition.isOn };
    case 'count':
      return { ...condition, above: condition.above + by, isOn: by > 0 || !condition.isOn };
    default:
      return condition;
  }
}
