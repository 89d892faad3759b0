import { Failure } from '../plan/failures.ts';
import type { ModelDefinition } from './model.ts';
import type { Adapter, LoraOptions } from './models/lora.ts';
import type { ParameterSpec } from './models/model-graph.ts';

/** Parameters to leave as they are: by patterns of their names, or all but the last layers. */
export type Freeze = readonly string[] | { readonly all_but_last: number };

export interface TrainableOptions {
  readonly freeze?: Freeze;
  readonly lora?: LoraOptions;
}

/** What a training changes. */
export interface Trainable {
  /** Of LoRA; empty without it. */
  readonly adapters: readonly Adapter[];
  /** Those that are trained: of the model, then of the adapters. */
  readonly parameters: readonly ParameterSpec[];
  /** The model's others. */
  readonly frozen: readonly ParameterSpec[];
}

/**
 * Which parameters a training changes: all that are not frozen; with LoRA the adapters and the head.
 * @throws InvalidInput for a pattern that names nothing, or when nothing is left to train
 */
export function chooseTrainable(model: ModelDefinition, options: TrainableOptions): Trainable {
  const adapters = options.lora === undefined ? [] : model.adapters(options.lora);
  const isFrozen = options.freeze === undefined ? () => false : frozenBy(model, options.freeze);
  const isTrained = ({ name }: ParameterSpec): boolean =>
    (adapters.length === 0 || model.head.includes(name)) && !isFrozen(name);
  const own = model.parameters.filter(isTrained);
  const parameters = [...own, ...adapters.flatMap(({ a, b }) => [a, b])];
  if (parameters.length === 0) {
    throw new Failure(
      'InvalidInput',
      `freeze leaves nothing to train: all ${model.parameters.length} parameters match it; ` +
        'leave some out, as the head (' +
        `${model.head.join(', ') || 'the last layers'})`,
    );
  }
  return { adapters, parameters, frozen: model.parameters.filter((spec) => !isTrained(spec)) };
}

function frozenBy(model: ModelDefinition, freeze: Freeze): (name: string) => boolean {
  return 'all_but_last' in freeze
    ? frozenLayers(model, freeze.all_but_last)
    : frozenPatterns(model, freeze);
}

/** Freezes what comes before the last layers: the embeddings, and the layers below them. */
function frozenLayers(model: ModelDefinition, last: number): (name: string) => boolean {
  if (model.layers === 0) {
    throw new Failure(
      'InvalidInput',
      'freeze.all_but_last counts layers, and an ONNX file does not tell which weights are a ' +
        "layer's; give freeze a list of their names, in which * stands for anything",
    );
  }
  if (last > model.layers) {
    throw new Failure(
      'InvalidInput',
      `freeze.all_but_last is ${last}, and the model has ${model.layers} layers; give ` +
        `${model.layers} or less`,
    );
  }
  const names = model.parameters.map(({ name }) => name);
  const firstOfLayers = names.findIndex((name) => model.layerOf(name) !== undefined);
  const embeddings = new Set(names.slice(0, firstOfLayers));
  return (name) => {
    const layer = model.layerOf(name);
    return layer === undefined ? embeddings.has(name) : layer < model.layers - last;
  };
}

function frozenPatterns(
  model: ModelDefinition,
  patterns: readonly string[],
): (name: string) => boolean {
  const matchers = patterns.map((pattern) => {
    const matcher = matcherOf(pattern);
    if (model.parameters.some(({ name }) => matcher.test(name))) return matcher;
    const names = model.parameters.map(({ name }) => name);
    const examples = [names[0], names[Math.floor(names.length / 2)], names.at(-1)].join(', ');
    throw new Failure(
      'InvalidInput',
      `freeze: no parameter of the model matches "${pattern}"; a pattern is a parameter's name, ` +
        `in which * stands for anything: the model has ${examples} and others`,
    );
  });
  return (name) => matchers.some((matcher) => matcher.test(name));
}

/** A name in which `*` stands for any characters. */
function matcherOf(pattern: string): RegExp {
  const parts = pattern.split('*').map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`);
}
