import { readManifest } from '../../store/artifacts.ts';
import { isDigest } from '../../store/digest.ts';
import type { AttemptRecord } from '../../store/ledger.ts';
import type { RunRecord } from '../../store/runs.ts';
import type { Store } from '../../store/store.ts';
import type { JsonObject, JsonValue } from '../../plan/json.ts';
import type { PlanStep } from '../../plan/plan.ts';
import type { EarlierRuns } from './earlier-runs.ts';
import type { Estimate } from './outcome.ts';

/** Training has a speed; of other steps the time is taken to be that of last time. */
const TRAINING = 'train';

/** Work that an earlier run did to its end. */
interface Sample {
  readonly seconds: number;
  /** Tokens of a training. */
  readonly tokens?: number;
  readonly device: JsonValue;
}

/** Times and tokens of steps, from the ledger of the pipeline's earlier runs. */
export class Estimator {
  readonly #store: Store;
  readonly #earlier: EarlierRuns;

  constructor(store: Store, earlier: EarlierRuns) {
    this.#store = store;
    this.#earlier = earlier;
  }

  /**
   * From the newest time that the step was done; of a light step that never was, from the newest of
   * its kind in the pipeline.
   *
   * @param parts what the step's fingerprint is of; unknown inputs are taken to be as last time
   */
  async of(step: PlanStep, parts: { readonly inputs: JsonObject } | undefined): Promise<Estimate> {
    const inputs = parts?.inputs ?? inputsOf((await this.#earlier.step(step.id))?.parts);
    const tokens = step.kind === TRAINING ? await this.#trainingTokens(inputs) : undefined;
    const sample =
      (await this.#newest(step, ({ step: id }) => id === step.id)) ??
      (step.role === 'work' ? await this.#newest(step, () => true) : undefined);
    const seconds = secondsFrom(sample, step, tokens, inputs);
    return {
      ...(seconds !== undefined && { seconds }),
      ...(tokens !== undefined && { tokens }),
    };
  }

  async #newest(
    { kind, version }: PlanStep,
    fits: (attempt: AttemptRecord) => boolean,
  ): Promise<Sample | undefined> {
    for (const run of this.#earlier.runs) {
      const attempts = await this.#earlier.attempts(run);
      const last = attempts.findLast(
        (attempt) =>
          attempt.outcome === 'completed' && attempt.kind === `${kind}@${version}` && fits(attempt),
      );
      if (last !== undefined) return this.#sample(run, last, attempts);
    }
    return undefined;
  }

  /** A training that was interrupted took the time of all its attempts. */
  async #sample(
    run: RunRecord,
    { step, kind, fingerprint }: AttemptRecord,
    attempts: readonly AttemptRecord[],
  ): Promise<Sample> {
    const same = attempts.filter(
      (attempt) => attempt.step === step && attempt.fingerprint === fingerprint,
    );
    const inputs = inputsOf(run.parts?.[step]);
    const tokens = kind.startsWith(`${TRAINING}@`) ? await this.#trainingTokens(inputs) : undefined;
    return {
      seconds: same.reduce((sum, attempt) => sum + secondsOf(attempt), 0),
      ...(tokens !== undefined && { tokens }),
      device: inputs['device'] ?? null,
    };
  }

  /** Tokens of all epochs, or of the rows of `max_steps` optimizer steps; without those of `replay`. */
  async #trainingTokens(inputs: JsonObject): Promise<number | undefined> {
    const dataset = inputs['train_dataset'];
    const args = inputs['args'];
    if (!isDigest(dataset) || !isMap(args)) return undefined;
    const manifest = await readManifest(this.#store, dataset).catch(() => undefined);
    const { tokens, splits } = manifest?.metadata ?? {};
    const rows = isMap(splits) ? sum(Object.values(splits)) : 0;
    if (typeof tokens !== 'number' || rows === 0) return undefined;
    const argument = (name: string, value: number): number => {
      const given = args[name];
      return typeof given === 'number' ? given : value;
    };
    const steps = argument('max_steps', -1);
    if (steps <= 0) return Math.round(argument('num_train_epochs', 1) * tokens);
    const batch = argument('per_device_train_batch_size', 1);
    const examples = batch * argument('gradient_accumulation_steps', 1);
    return Math.round(steps * examples * (tokens / rows));
  }
}

function secondsFrom(
  sample: Sample | undefined,
  { kind }: PlanStep,
  tokens: number | undefined,
  inputs: JsonObject,
): number | undefined {
  if (sample === undefined || kind !== TRAINING) return sample?.seconds;
  const isAlike = sample.device === (inputs['device'] ?? null);
  if (!isAlike || !sample.tokens || tokens === undefined) return undefined;
  return sample.seconds * (tokens / sample.tokens);
}

function secondsOf({ startedAt, endedAt, lastOptimizerStep }: AttemptRecord): number {
  return ((endedAt ?? lastOptimizerStep?.at ?? startedAt) - startedAt) / 1000;
}

function inputsOf(parts: JsonObject | undefined): JsonObject {
  const inputs = parts?.['inputs'];
  return isMap(inputs) ? inputs : {};
}

function sum(values: readonly JsonValue[]): number {
  return values.reduce<number>(
    (total, value) => total + (typeof value === 'number' ? value : 0),
    0,
  );
}

function isMap(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
