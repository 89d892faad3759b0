import { readFile } from 'node:fs/promises';
import { isLessBetter, METRICS, type Metric } from '../evaluation/metrics.ts';
import { Failure } from '../plan/failures.ts';
import type { JsonObject, JsonValue } from '../plan/json.ts';
import type { ArtifactDigest } from '../plan/plan.ts';
import { artifactFile, readManifest } from '../store/artifacts.ts';
import { producerOf } from '../store/cache.ts';
import type { Challenge, Verdict } from '../store/promotion.ts';
import type { ModelVersion } from '../store/registry.ts';
import type { Store } from '../store/store.ts';

/** What a model is to be better in than the one that an alias stands for. */
export interface PromotionRule {
  readonly model: ArtifactDigest;
  /** The report that speaks for the model. */
  readonly evaluation: ArtifactDigest;
  readonly alias: string;
  readonly metric: Metric;
  readonly minGain: number;
}

/** What a report says, and of what. */
interface Evaluation {
  readonly model: JsonValue | undefined;
  readonly scores: { readonly [metric: string]: number };
  /** The tokenized dataset; undefined where the report does not say. */
  readonly dataset: JsonValue | undefined;
  /** What was tokenized, where the store still knows. */
  readonly rows: ArtifactDigest | undefined;
}

/**
 * Compares a model's report with one of the champion's on the same data, score by score.
 *
 * @throws InvalidInput when the report is of another model or has no such metric
 */
export async function challengeOf(store: Store, rule: PromotionRule): Promise<Challenge> {
  const { model, evaluation, metric } = rule;
  const own = await readEvaluation(store, evaluation);
  if (own.model !== model) throw ofAnotherModel(own.model);
  const value = own.scores[metric];
  if (value === undefined) throw noMetric(metric, own);
  return async (champion) => {
    const theirs = await comparableScore(store, champion, own, metric);
    return theirs === undefined
      ? { isBetter: false, reason: notComparable(champion, rule), comparison: null }
      : compared(rule, value, champion, theirs);
  };
}

function compared(
  { metric, minGain, alias }: PromotionRule,
  value: number,
  { version }: ModelVersion,
  theirs: number,
): Verdict {
  // 0.3 - 0.2 is less than 0.1 in binary.
  const gain = Number((isLessBetter(metric) ? theirs - value : value - theirs).toFixed(12));
  const isBetter = gain > 0 && gain >= minGain;
  const than = `than the ${shown(theirs)} of v${version}, which ${isBetter ? 'was' : 'stays'} '${alias}'`;
  const comparison = { metric, value, champion: version, champion_value: theirs, gain };
  if (gain <= 0) {
    return { isBetter, reason: `${metric} ${shown(value)} is not better ${than}`, comparison };
  }
  const limit = isBetter ? '' : `: by ${shown(gain)}, less than min_gain ${shown(minGain)}`;
  return { isBetter, reason: `${metric} ${shown(value)} is better ${than}${limit}`, comparison };
}

/** Of the champion's newest report that can be compared; one that cannot be read is passed over. */
async function comparableScore(
  store: Store,
  champion: ModelVersion,
  own: Evaluation,
  metric: Metric,
): Promise<number | undefined> {
  for (const { report } of champion.evaluations.toReversed()) {
    const theirs = await readEvaluation(store, report).catch((error: unknown) => {
      if (error instanceof Failure) return undefined;
      throw error;
    });
    const value = theirs?.scores[metric];
    if (theirs !== undefined && value !== undefined && isSameData(own, theirs, metric)) {
      return value;
    }
  }
  return undefined;
}

/**
 * Whether two scores are of the same examples: of the same tokens, or of the same rows tokenized
 * differently, unless the score is a mean over tokens.
 */
function isSameData(own: Evaluation, theirs: Evaluation, metric: Metric): boolean {
  if (own.dataset !== undefined && own.dataset === theirs.dataset) return true;
  const isOfTokens = metric === 'perplexity' || 'perplexity' in own.scores;
  return !isOfTokens && own.rows !== undefined && own.rows === theirs.rows;
}

/** @throws InvalidInput when it holds no scores; NotFound, CorruptArtifact when it cannot be read */
async function readEvaluation(store: Store, report: ArtifactDigest): Promise<Evaluation> {
  const manifest = await readManifest(store, report, 'report');
  if (!manifest.files.some(({ path }) => path === 'report.json')) {
    throw new Failure(
      'InvalidInput',
      'evaluation is a report without report.json: wire the report of an evaluate@1 step',
    );
  }
  const text = await readFile(await artifactFile(store, manifest, 'report.json'), 'utf8');
  const found = JSON.parse(text) as JsonObject;
  const scores = METRICS.flatMap((metric) => {
    const value = Object.hasOwn(found, metric) ? found[metric] : undefined;
    return typeof value === 'number' ? [[metric, value] as const] : [];
  });
  const { model, dataset } = manifest.metadata;
  const rows = await rowsOf(store, dataset);
  return { model, scores: Object.fromEntries(scores), dataset, rows };
}

async function rowsOf(
  store: Store,
  dataset: JsonValue | undefined,
): Promise<ArtifactDigest | undefined> {
  if (typeof dataset !== 'string') return undefined;
  const entry = await producerOf(store, dataset as ArtifactDigest);
  return entry?.kind.startsWith('tokenize@') ? entry.inputArtifacts['dataset'] : undefined;
}

function notComparable({ version, evaluations }: ModelVersion, { alias }: PromotionRule): string {
  const why =
    evaluations.length === 0
      ? 'was registered without an evaluation'
      : 'has no evaluation on the same data';
  return (
    `v${version}, which stays '${alias}', ${why}: evaluate it on the data of this one, register ` +
    'that report with it (register@1 with promote: never), and run this again; or set promote: always'
  );
}

function ofAnotherModel(model: JsonValue | undefined): Failure {
  const found = typeof model === 'string' ? `of ${model}` : 'of a model that it does not name';
  return new Failure(
    'InvalidInput',
    `evaluation is ${found}, expected of the model that is registered: wire the report of the ` +
      'evaluate@1 step that has scored it',
  );
}

function noMetric(metric: Metric, { scores }: Evaluation): Failure {
  const names = Object.keys(scores);
  const there = names.length === 0 ? 'it has no scores' : `expected one of ${names.join(', ')}`;
  return new Failure(
    'InvalidInput',
    `the report in evaluation has no metric '${metric}'; ${there}`,
  );
}

/** To 6 digits. */
function shown(value: number): string {
  return String(Number(value.toPrecision(6)));
}
