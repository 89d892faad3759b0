import type { ModelVersion, RegisteredModel, StepOfRun } from './registry.ts';

/** One score of two versions of a model, on the same data. */
export interface Comparison {
  readonly metric: string;
  /** Of the version that is registered. */
  readonly value: number;
  /** The version that the alias stood for. */
  readonly champion: number;
  readonly champion_value: number;
  /** How much better the new value is; below 0 where it is worse. */
  readonly gain: number;
}

/** What a challenge comes to. */
export interface Verdict {
  readonly isBetter: boolean;
  /** For a person. */
  readonly reason: string;
  /** null where nothing could be compared. */
  readonly comparison: Comparison | null;
}

/** Whether an alias moved to a version, and why. */
export interface PromotionDecision extends Omit<Verdict, 'isBetter'>, StepOfRun {
  readonly alias: string;
  readonly promoted: boolean;
}

/** Compares what is registered with the version that its alias stands for. */
export type Challenge = (champion: ModelVersion) => Promise<Verdict>;

type Challenger = StepOfRun & { readonly alias: string };

/**
 * Decides whether `alias` moves to `version`. What the same step of the same submission has decided
 * before stands, whatever was registered since.
 */
export async function decide(
  current: RegisteredModel,
  version: ModelVersion,
  { alias, run, execution, step }: Challenger,
  challenge: Challenge,
): Promise<PromotionDecision> {
  const before = version.decisions?.find(
    (each) => each.alias === alias && each.execution === execution && each.step === step,
  );
  if (before !== undefined) return before;
  const by = { alias, run, execution, step };
  const holder = Object.hasOwn(current.aliases, alias) ? current.aliases[alias] : undefined;
  const champion = current.versions.find((each) => each.version === holder);
  if (champion === undefined) {
    return { ...by, promoted: true, reason: `no version was '${alias}' before`, comparison: null };
  }
  if (champion === version) {
    return { ...by, promoted: false, reason: `it is '${alias}' already`, comparison: null };
  }
  const { isBetter, reason, comparison } = await challenge(champion);
  return { ...by, promoted: isBetter, reason, comparison };
}
