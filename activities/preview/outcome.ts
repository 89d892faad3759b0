import type { StepId } from '../../plan/plan.ts';

/** What a run would do with a step. */
export type Outcome =
  | { readonly kind: 'hit' }
  | { readonly kind: 'run'; readonly reasons: readonly string[] }
  | {
      readonly kind: 'unknown';
      /** Steps that have to end before it can be told; none when no step can tell. */
      readonly until: readonly StepId[];
      readonly reasons: readonly string[];
    }
  | { readonly kind: 'skip'; readonly reasons: readonly string[] }
  /** The step cannot succeed with what it is given. */
  | { readonly kind: 'fail'; readonly reasons: readonly string[] };

/** How long something takes and how many tokens it trains on, from earlier runs; both may be unknown. */
export interface Estimate {
  readonly seconds?: number;
  readonly tokens?: number;
}

export interface StepPreview {
  readonly id: StepId;
  /** `train@1`. */
  readonly uses: string;
  readonly outcome: Outcome;
  /** Of a step with a matrix: the entries that it has. */
  readonly entries?: readonly StepId[];
  /** Steps that may run before it, and are taken to succeed. */
  readonly supposed?: readonly StepId[];
  /** Where all that it depends on is known. */
  readonly fingerprint?: string;
  /** Of a step that would run, or that is unknown and may run. */
  readonly estimate?: Estimate;
}

export interface RunPreview {
  readonly name: string;
  /** The run that steps are compared with; none when there was none. */
  readonly since?: string;
  /** In the file's order, each with a matrix before its entries. */
  readonly steps: readonly StepPreview[];
}

/** What a run would do with a step with a matrix: what most is to be known of, of its entries. */
export function outcomeOfEntries(entries: readonly StepPreview[]): Outcome {
  const kinds = ['fail', 'run', 'unknown', 'hit'] as const;
  const of = (kind: Outcome['kind']): number =>
    entries.filter(({ outcome }) => outcome.kind === kind).length;
  const kind = kinds.find((each) => of(each) > 0) ?? 'hit';
  if (kind === 'hit') return { kind };
  const all = `${entries.length} ${entries.length === 1 ? 'entry' : 'entries'}`;
  const reasons = [of('hit') === 0 ? all : `${all}, ${of('hit')} in the cache`];
  if (kind !== 'unknown') return { kind, reasons };
  const until = entries.flatMap(({ outcome }) => (outcome.kind === kind ? outcome.until : []));
  return { kind, until: [...new Set(until)], reasons };
}
