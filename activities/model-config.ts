import { closest } from '../language/suggestion.ts';
import { Failure } from '../plan/failures.ts';
import type { JsonObject } from '../plan/json.ts';
import { type ModelType, modelTypeOf } from '../training/models/architectures.ts';
import { configKeys, OTHER_NAMES } from '../training/models/config-keys.ts';

/**
 * A model's config.json with overrides. Labels are told by `num_labels`, which stands for the names
 * LABEL_0, ..., or by `id2label`, as in Hugging Face's PretrainedConfig.
 *
 * @param config of the source; empty for a fresh model
 * @throws InvalidInput for labels that are none
 */
export function overriddenConfig(config: JsonObject, overrides: JsonObject): JsonObject {
  const { num_labels: count, ...rest } = { ...config, ...overrides };
  const names = labelNames(overrides);
  if (names === undefined && rest['id2label'] !== undefined) return rest;
  // A source's own number stays as it is, for whoever reads the config to judge.
  if (names === undefined) return count === undefined ? rest : { ...rest, num_labels: count };
  return {
    ...rest,
    id2label: Object.fromEntries(names.entries()),
    label2id: Object.fromEntries(names.map((name, id) => [name, id])),
  };
}

/**
 * @param config of the model that the overrides are for; undefined while it is not known: then a
 *   key of any architecture will do
 * @throws InvalidInput for a key that Hugging Face's configuration does not have, or an
 *   architecture that is not built
 */
export function requireKnownKeys(overrides: JsonObject, config: JsonObject | undefined): void {
  const modelType = config && modelTypeOf({ ...config, ...overrides });
  const known = configKeys(modelType);
  const key = Object.keys(overrides).find((name) => !known.includes(name));
  if (key === undefined) return;
  const near = otherName(modelType, key) ?? closest(key, known);
  const remedy =
    near === undefined
      ? `the keys there are: ${known.join(', ')}`
      : `did you mean ${JSON.stringify(near)}?`;
  const of = modelType === undefined ? '' : ` of a ${modelType}`;
  throw invalid(`unknown key ${JSON.stringify(key)}${of}: ${remedy}`);
}

/** What an architecture calls a size that others, or Hugging Face's aliases, call otherwise. */
function otherName(modelType: ModelType | undefined, key: string): string | undefined {
  if (modelType === undefined) return undefined;
  const common = Object.values(OTHER_NAMES)
    .flatMap((names): [string, string][] => Object.entries(names))
    .find(([other, name]) => other === key || name === key)?.[0];
  const own: { readonly [other: string]: string } = OTHER_NAMES[modelType];
  return common === undefined ? undefined : (own[common] ?? common);
}

/** Names of the classes that a config tells, in the order of their ids; undefined when it tells none. */
function labelNames({ num_labels: count, id2label }: JsonObject): readonly string[] | undefined {
  const hasCount = count !== undefined;
  if (hasCount && (typeof count !== 'number' || !Number.isInteger(count) || count < 1)) {
    throw invalid(`num_labels is ${JSON.stringify(count)}: expected a whole number from 1`);
  }
  if (id2label === undefined) {
    return hasCount ? Array.from({ length: count }, (_, id) => `LABEL_${id}`) : undefined;
  }
  const isMap = typeof id2label === 'object' && id2label !== null && !Array.isArray(id2label);
  const byId = isMap ? (id2label as JsonObject) : {};
  const names = Object.keys(byId).map((_, id) => byId[id]);
  if (names.length === 0 || !names.every((name) => typeof name === 'string')) {
    throw invalid(
      `id2label is ${JSON.stringify(id2label)}: expected a name for each id from 0, such as ` +
        '{ 0: negative, 1: positive }',
    );
  }
  if (hasCount && names.length !== count) {
    throw invalid(
      `num_labels is ${count}, and id2label has ${names.length} names: give one of the two`,
    );
  }
  return names;
}

function invalid(message: string): Failure {
  return new Failure('InvalidInput', `config: ${message}`);
}
