import { closest, distance } from 'fastest-levenshtein';
import { Failure } from '../plan/failures.ts';
import type { JsonValue } from '../plan/json.ts';
import type { StepId } from '../plan/plan.ts';
import { ALIAS_FORM } from './alias-form.ts';
import { readManifest } from './artifacts.ts';
import { type Challenge, decide, type PromotionDecision } from './promotion.ts';
import { getRecord, listRecords, requireUndamaged, updateRecord } from './records.ts';
import type { ArtifactDigest, Store } from './store.ts';

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*(\/[A-Za-z0-9][A-Za-z0-9._-]*)*$/;
/** The alias that a name alone stands for. */
const DEFAULT_ALIAS = 'champion';

/** The run, its submission and the step of it that did something. */
export interface StepOfRun {
  readonly run: string;
  /** Temporal's run id: another for each submission under the run's id. */
  readonly execution: string;
  readonly step: StepId;
}

export interface ModelVersion {
  /** From 1. */
  readonly version: number;
  readonly model: ArtifactDigest;
  /** The reports that were registered with it, the newest last. */
  readonly evaluations: readonly ({ readonly report: ArtifactDigest } & StepOfRun)[];
  readonly lineage: JsonValue;
  readonly registeredBy: StepOfRun;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  /** Who set which alias to this version. */
  readonly promotions: readonly ({ readonly alias: string } & StepOfRun)[];
  /** What came of the challenges to the version that an alias stood for. */
  readonly decisions?: readonly PromotionDecision[];
}

export interface RegisteredModel {
  readonly name: string;
  /** The oldest first. */
  readonly versions: readonly ModelVersion[];
  /** Version number by alias. */
  readonly aliases: { readonly [alias: string]: number };
}

export interface Registration extends StepOfRun {
  readonly name: string;
  readonly model: ArtifactDigest;
  readonly evaluation?: ArtifactDigest;
  readonly lineage?: JsonValue;
  readonly alias?: string;
  /** Whether the alias moves to this version; a challenge: if it is better than the one it stands for. */
  readonly promote: 'always' | 'never' | Challenge;
}

export interface RegistrationResult {
  readonly version: number;
  /** The aliases that stand for this version now. */
  readonly aliases: readonly string[];
  /** Whether this very model had been registered under the name before. */
  readonly existing: boolean;
  /** Whether this step moved the alias to this version. */
  readonly promoted: boolean;
  /** What came of the challenge, when there was one. */
  readonly decision?: PromotionDecision;
}

export interface ResolvedModel {
  readonly name: string;
  readonly version: ModelVersion;
  readonly aliases: readonly string[];
}

/**
 * Registers a model's next version under a name, or finds the version that has this very model,
 * which then has one more report. The same step of the same submission adds a report and moves an
 * alias once: a late retry takes nothing back from what was registered since. A challenge is of the
 * version that the alias stands for when the registration is written: where another registration was
 * first, it is made again.
 *
 * @throws InvalidInput for a bad name or alias, or when `model` is no model
 */
export async function register(
  store: Store,
  registration: Registration,
): Promise<RegistrationResult> {
  const { name, model, alias } = registration;
  requireForm(name, NAME, 'a model name', 'letters, digits, . _ - and / between parts');
  if (alias !== undefined) {
    requireForm(alias, ALIAS_FORM.pattern, 'an alias', ALIAS_FORM.expected);
  }
  await readManifest(store, model, 'model');
  await requireUndamaged(store, modelRef(name));
  let existing = false;
  const record = await updateRecord<RegisteredModel>(store, modelRef(name), async (current) => {
    const registered = current ?? { name, versions: [], aliases: {} };
    existing = registered.versions.some((version) => version.model === model);
    const added = existing ? registered : addVersion(registered, registration);
    return promote(withReport(added, registration), registration);
  });
  const registered = versionOf(record, model);
  const { version, promotions, decisions = [] } = registered;
  const decision = decisions.find((each) => isOf(each, registration));
  return {
    version,
    aliases: aliasesOf(record, version),
    existing,
    promoted: promotions.some((each) => isOf(each, registration)),
    ...(typeof registration.promote === 'function' && decision !== undefined && { decision }),
  };
}

/**
 * The version that `name`, `name@alias` or `name@version` stands for. A name alone is its alias
 * `champion`, or the newest version when there is no champion.
 *
 * @throws NotFound with the nearest name and the list of those there are
 */
export async function resolveModel(store: Store, reference: string): Promise<ResolvedModel> {
  const [name = '', selector, ...rest] = reference.split('@');
  if (!NAME.test(name) || selector === '' || rest.length > 0) {
    throw new Failure(
      'InvalidInput',
      `${JSON.stringify(reference)} is not a model: expected NAME, NAME@ALIAS or NAME@VERSION`,
    );
  }
  await requireUndamaged(store, modelRef(name));
  const model = (await getRecord<RegisteredModel>(store, modelRef(name)))?.record;
  if (model === undefined) throw await unknownModel(store, name);
  const number = versionNumber(model, selector);
  const version = model.versions.find((candidate) => candidate.version === number);
  if (version === undefined) throw unknownVersion(model, selector ?? String(number));
  return { name, version, aliases: aliasesOf(model, version.version) };
}

/** All registered models, ordered by name; of a damaged one, what could still be read. */
export async function listModels(store: Store): Promise<readonly RegisteredModel[]> {
  return listRecords<RegisteredModel>(store, 'models');
}

function addVersion(
  current: RegisteredModel,
  { model, lineage, run, execution, step }: Registration,
): RegisteredModel {
  const version: ModelVersion = {
    version: current.versions.length + 1,
    model,
    evaluations: [],
    lineage: lineage ?? null,
    registeredBy: { run, execution, step },
    createdAt: Date.now(),
    promotions: [],
  };
  return { ...current, versions: [...current.versions, version] };
}

function withReport(current: RegisteredModel, registration: Registration): RegisteredModel {
  const { model, evaluation: report, run, execution, step } = registration;
  const version = versionOf(current, model);
  const { evaluations } = version;
  const isDone = evaluations.some((each) => each.execution === execution && each.step === step);
  if (report === undefined || isDone) return current;
  const reported = { ...version, evaluations: [...evaluations, { report, run, execution, step }] };
  return replaced(current, version, reported);
}

async function promote(
  current: RegisteredModel,
  registration: Registration,
): Promise<RegisteredModel> {
  const { model, alias, promote: when, run, execution, step } = registration;
  if (alias === undefined || when === 'never') return current;
  if (when === 'always') return moved(current, registration, alias);
  const version = versionOf(current, model);
  const decision = await decide(current, version, { alias, run, execution, step }, when);
  const { decisions = [] } = version;
  if (decisions.includes(decision)) return current;
  const decided = replaced(current, version, { ...version, decisions: [...decisions, decision] });
  return decision.promoted ? moved(decided, registration, alias) : decided;
}

function moved(
  current: RegisteredModel,
  registration: Registration,
  alias: string,
): RegisteredModel {
  const { model, run, execution, step } = registration;
  const version = versionOf(current, model);
  if (version.promotions.some((promotion) => isOf(promotion, registration))) return current;
  const promotions = [...version.promotions, { alias, run, execution, step }];
  const promoted = { ...version, promotions };
  const aliases = { ...current.aliases, [alias]: version.version };
  return { ...replaced(current, version, promoted), aliases };
}

/** Whether the registration's own step did this, in the same submission and for the same alias. */
function isOf(
  done: StepOfRun & { readonly alias: string },
  { alias, execution, step }: Registration,
): boolean {
  return done.alias === alias && done.execution === execution && done.step === step;
}

function versionOf(current: RegisteredModel, model: ArtifactDigest): ModelVersion {
  return current.versions.find((candidate) => candidate.model === model)!;
}

function replaced(
  current: RegisteredModel,
  version: ModelVersion,
  by: ModelVersion,
): RegisteredModel {
  const versions = current.versions.map((candidate) => (candidate === version ? by : candidate));
  return { ...current, versions };
}

function versionNumber(model: RegisteredModel, selector: string | undefined): number | undefined {
  if (selector === undefined) {
    return model.aliases[DEFAULT_ALIAS] ?? model.versions.at(-1)?.version;
  }
  if (Object.hasOwn(model.aliases, selector)) return model.aliases[selector];
  // `v3`, as versions are shown, or 3.
  const number = /^v?(\d+)$/.exec(selector)?.[1];
  return number === undefined ? undefined : Number(number);
}

function aliasesOf(model: RegisteredModel, version: number): readonly string[] {
  const aliases = Object.keys(model.aliases).filter((alias) => model.aliases[alias] === version);
  return aliases.sort();
}

function modelRef(name: string): string {
  return `models/${name}`;
}

function requireForm(text: string, form: RegExp, what: string, expected: string): void {
  if (form.test(text)) return;
  throw new Failure('InvalidInput', `${JSON.stringify(text)} is not ${what}: expected ${expected}`);
}

async function unknownModel(store: Store, name: string): Promise<Failure> {
  const names = (await listModels(store)).map((model) => model.name);
  const what = `no model named ${JSON.stringify(name)} is registered`;
  if (names.length === 0) {
    return new Failure(
      'NotFound',
      `${what}, nor any other: a pipeline's register@1 step does that`,
    );
  }
  return new Failure(
    'NotFound',
    `${what}${didYouMean(name, names)}; registered: ${names.join(', ')}`,
  );
}

function unknownVersion(model: RegisteredModel, selector: string): Failure {
  const aliases = Object.keys(model.aliases).sort();
  const versions = model.versions.map((version) => String(version.version));
  const kind = /^\d+$/.test(selector) ? 'version' : 'alias';
  return new Failure(
    'NotFound',
    `model ${JSON.stringify(model.name)} has no ${kind} ${JSON.stringify(selector)}` +
      `${didYouMean(selector, aliases)}; aliases: ${aliases.join(', ') || 'none'}; ` +
      `versions: ${versions.join(', ')}`,
  );
}

function didYouMean(text: string, candidates: readonly string[]): string {
  if (candidates.length === 0) return '';
  const nearest = closest(text, candidates);
  const limit = Math.max(1, Math.floor(text.length / 3));
  return distance(text, nearest) <= limit ? ` (did you mean ${JSON.stringify(nearest)}?)` : '';
}
