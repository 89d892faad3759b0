import { recordedResult } from '../../store/cache.ts';
import type { Store } from '../../store/store.ts';
import { formatDuration } from '../../language/checks/duration.ts';
import { listCheckpoints } from '../../training/checkpoints/checkpoint-store.ts';
import type { JsonValue } from '../../plan/json.ts';
import type { PlanStep, StepId, Template } from '../../plan/plan.ts';
import type { CacheAnswer } from '../contract.ts';
import type { Preparation } from '../step-preparation.ts';
import type { ForeseenAdmission } from './admission.ts';
import { describeChanges, stepsRead } from './changes.ts';
import type { EarlierRuns, EarlierStep } from './earlier-runs.ts';
import type { PreviewRequest } from './preview-request.ts';
import type { Reads } from './unknown-values.ts';

type Miss = Extract<CacheAnswer, { kind: 'miss' }>;
type UnknownAdmission = Extract<ForeseenAdmission, { kind: 'unknown' }>;

const EVERY_RUN = 'does its work in every run';

/** Says why a step is not a hit, from what the store knows of earlier runs. */
export class ReasonFinder {
  readonly #store: Store;
  readonly #earlier: EarlierRuns;
  readonly #asked: string;

  constructor(
    store: Store,
    earlier: EarlierRuns,
    { from, force }: NonNullable<PreviewRequest['options']>,
  ) {
    this.#store = store;
    this.#earlier = earlier;
    this.#asked = force === true || from === undefined ? '--force' : `--from ${from}`;
  }

  /** Of a step that runs whatever its inputs are. */
  ofEveryRun({ cache }: PlanStep, isForced: boolean): readonly string[] {
    if (!isForced) return [cache?.enabled === false ? 'cache.enabled is false' : EVERY_RUN];
    return [`asked for by ${this.#asked}`];
  }

  /** Of a step that is not in the cache. */
  async ofMiss(
    step: PlanStep,
    answer: Miss,
    parts: Preparation['parts'],
  ): Promise<readonly string[]> {
    if (answer.ageMs !== undefined) {
      const [age, maxAge] = [answer.ageMs, step.cache?.maxAgeMs ?? 0].map(formatDuration);
      return [`its result was made ${age} ago; cache.max_age is ${maxAge}`];
    }
    if (answer.damage !== undefined) return [`its result is damaged: ${short(answer.damage)}`];
    const earlier = await this.#earlier.step(step.id);
    if (earlier === undefined || parts === undefined) return ['no earlier result'];
    if (earlier.fingerprint === answer.fingerprint) return [await this.#ofNoResult(earlier)];
    const producerOf = (artifact: JsonValue): StepId | undefined =>
      Object.entries(earlier.run.state.steps).find(([, { outputs = {} }]) =>
        Object.values(outputs).includes(artifact),
      )?.[0];
    const changes = describeChanges(step, earlier.parts, { ...parts }, producerOf);
    const against = earlier.run === this.#earlier.newest ? '' : ` (against run ${earlier.run.id})`;
    const [first = `made by another build of ${step.kind}@${step.version}`, ...rest] = changes;
    return [`${first}${against}`, ...rest];
  }

  /** Of a step whose condition cannot be told. */
  ofCondition({ reads, unsure, failures }: UnknownAdmission): readonly string[] {
    const unread = unsure.filter((id) => !reads.steps.has(id));
    return [
      ...[...reads.steps].map((id) => `if reads step '${id}'`),
      ...[...reads.facts].map((fact) => `if reads ${fact}, which a run has`),
      ...(failures.length === 0 ? unread.map((id) => `step '${id}' may be skipped`) : []),
      ...failures.map((id) => `nothing new starts once step '${id}' has failed`),
    ];
  }

  /** Of a step whose inputs are not known. */
  ofInputs(step: PlanStep, reads: Reads): readonly string[] {
    const places = [...placesOf(step.with), ...placesOf(step.runsOn, ['runs_on'])];
    const sources = places.flatMap(({ path, template }) => {
      const read = stepsRead(template).filter((id) => reads.steps.has(id));
      return read.map((id) => `${path.join('.')} from step '${id}'`);
    });
    return [
      // By values of a matrix no step is named.
      ...(sources.length > 0
        ? [sources.join(', ')]
        : [...reads.steps].map((id) => `reads step '${id}'`)),
      ...[...reads.facts].map((fact) => `reads ${fact}, which a run has`),
    ];
  }

  /** What stands for the result of a step that would run: others with one of them do the same work. */
  async resultKeys({ fingerprint, damage }: Miss): Promise<readonly string[]> {
    if (damage === undefined) return [fingerprint];
    const entry = await recordedResult(this.#store, fingerprint);
    return [fingerprint, ...Object.values(entry?.outputArtifacts ?? {})];
  }

  /** Of a step that the earlier run had just the same. */
  async #ofNoResult({ run, state, fingerprint }: EarlierStep): Promise<string> {
    const checkpoints = await listCheckpoints(this.#store, fingerprint);
    const [newest] = checkpoints;
    const from = newest === undefined ? '' : `; goes on from optimizer step ${newest.step}`;
    switch (state?.status) {
      case 'failed':
        return `failed in run ${run.id}: ${short(state.error?.message ?? '')}${from}`;
      case 'cancelled':
        return `was cancelled in run ${run.id}${from}`;
      case 'completed':
      case 'cached':
        return `the result of run ${run.id} is not in the store any more`;
      default:
        return run.endedAt === undefined
          ? `has not ended in run ${run.id}${from}`
          : `did not end in run ${run.id}${from}`;
    }
  }
}

/** One line, with digests by their first digits. */
function short(message: string): string {
  const [line = ''] = message.split('\n');
  return line.replaceAll(/(sha256:[0-9a-f]{8})[0-9a-f]{56}/g, '$1…');
}

/** Every text of a template, with the place that it gives a value to. */
function placesOf(
  template: Template,
  path: readonly string[] = [],
): readonly { readonly path: readonly string[]; readonly template: string }[] {
  if (typeof template === 'string') return [{ path, template }];
  if (template === null || typeof template !== 'object') return [];
  return Object.entries(template).flatMap(([key, value]) => placesOf(value, [...path, key]));
}
