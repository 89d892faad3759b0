import { Failure } from '../../plan/failures.ts';
import type { ParameterSpec } from './model-graph.ts';
import { linearWidths } from './parameters.ts';

/** Low-rank adaptation, under PEFT's names without `lora_`. */
export interface LoraOptions {
  /** Rank. */
  readonly r: number;
  /** An adapter's product counts alpha / r. */
  readonly alpha: number;
  /** Dropout of the adapters' inputs. */
  readonly dropout: number;
  /**
   * Linear layers that get an adapter, by the last parts of their paths: `c_attn`, `attn.c_proj`;
   * `all-linear` for every one of the transformer; without it PEFT's choice for the model, where
   * it has one.
   */
  readonly targetModules?: readonly string[] | 'all-linear';
}

/** The adapter of one linear layer. */
export interface Adapter {
  /** Of the layer. */
  readonly path: string;
  /** [r, inputs] */
  readonly a: ParameterSpec;
  /** [outputs, r] */
  readonly b: ParameterSpec;
  readonly scale: number;
  readonly dropout: number;
  /** Of its dropout. */
  readonly site: number;
}

/** Above every site of the models' own dropouts. */
const FIRST_SITE = 1 << 20;

/**
 * Adapters of the linear layers that the options name. A is U(±1/√inputs), B zeros: a fresh
 * adapter changes nothing. Source: Hu et al., LoRA, 2021; PEFT, LoraLayer.reset_lora_parameters.
 *
 * @param body the transformer's parameters, without its head
 * @param defaults target modules where the options name none
 * @throws InvalidInput for a target that no linear layer has
 */
export function loraAdapters(
  body: readonly ParameterSpec[],
  options: LoraOptions,
  defaults: readonly string[],
): readonly Adapter[] {
  const linears = body.filter(({ linear }) => linear !== undefined);
  const paths = linears.map(({ name }) => name.replace(/\.weight$/, ''));
  const { targetModules: targets = defaults } = options;
  const isTarget = (path: string): boolean =>
    targets === 'all-linear' || targets.some((target) => endsWithModule(path, target));
  if (targets !== 'all-linear') {
    for (const target of targets) {
      if (!paths.some((path) => endsWithModule(path, target))) throw unknownTarget(target, paths);
    }
  }
  return linears
    .filter((_, i) => isTarget(paths[i] ?? ''))
    .map((spec, index) => adapterOf(spec, options, FIRST_SITE + index));
}

function endsWithModule(path: string, target: string): boolean {
  return path === target || path.endsWith(`.${target}`);
}

function adapterOf(spec: ParameterSpec, options: LoraOptions, site: number): Adapter {
  const { r, alpha, dropout } = options;
  const { inputs, outputs } = linearWidths(spec);
  const path = spec.name.replace(/\.weight$/, '');
  return {
    path,
    a: {
      name: `${path}.lora_A.weight`,
      shape: [r, inputs],
      initializer: { kind: 'uniform', bound: 1 / Math.sqrt(inputs) },
      isDecayed: true,
    },
    b: {
      name: `${path}.lora_B.weight`,
      shape: [outputs, r],
      initializer: { kind: 'zeros' },
      isDecayed: true,
    },
    scale: alpha / r,
    dropout,
    site,
  };
}

function unknownTarget(target: string, paths: readonly string[]): Failure {
  const modules = [...new Set(paths.map((path) => path.split('.').at(-1)))];
  return new Failure(
    'InvalidInput',
    `lora.target_modules: the model has no linear layer "${target}"; its linear layers are ` +
      `${modules.join(', ')}, or give 'all-linear'`,
  );
}
