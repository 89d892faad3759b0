import { Failure } from '../../plan/failures.ts';
import { initializeTensor, type InitializationRule } from '../random/weight-initialization.ts';
import { openSafetensors, type SafetensorsFile } from './safetensors-file.ts';
import type { SafetensorsTensor } from './safetensors-header.ts';

/** A parameter that a model needs. */
export interface WeightSpec {
  /** Hugging Face name. */
  readonly name: string;
  readonly shape: readonly number[];
  readonly initializer: InitializationRule;
}

/** Weights as a model needs them, and the files that should have them. */
export interface WeightsInput {
  /** safetensors files, as `weightFiles` finds them. */
  readonly files: readonly string[];
  readonly specs: readonly WeightSpec[];
  /** What base checkpoints leave out at the start of names: `transformer.` for GPT-2. */
  readonly basePrefix: string;
  /** Parameters that files may lack. */
  readonly mayLack: readonly string[];
  /** Entries of files that are of no use: buffers, and heads of other tasks. */
  readonly knownExtras: RegExp;
}

export interface LoadWeightsInput extends WeightsInput {
  /** Memory of a parameter, to be filled; undefined for one that is not wanted. */
  readonly target: (spec: WeightSpec) => Float32Array | undefined;
  /** Of the parameters that no file has. */
  readonly seed: number;
}

/**
 * Fills every parameter from safetensors files, straight into its memory.
 * @returns the names of the parameters that no file has: wanted ones are created from the seed
 * @throws InvalidInput listing every parameter that is missing, unexpected or of another shape
 */
export async function loadWeights(input: LoadWeightsInput): Promise<readonly string[]> {
  const files = await openWeights(input.files);
  try {
    const sources = matchWeights(input, tensorsOf(files));
    const created: string[] = [];
    for (const spec of input.specs) {
      const target = input.target(spec);
      const source = sources.get(spec.name);
      if (source === undefined) created.push(spec.name);
      if (target === undefined) continue;
      if (source !== undefined) await source.file.read(source.tensor, target);
      else {
        const { name, initializer: rule } = spec;
        await initializeTensor({ seed: input.seed, name, rule, target });
      }
    }
    return created;
  } finally {
    await Promise.all(files.map((file) => file.close()));
  }
}

/**
 * Looks at the files' headers alone.
 * @throws as `loadWeights`
 */
export async function checkWeights(input: WeightsInput): Promise<void> {
  const files = await openWeights(input.files);
  try {
    matchWeights(input, tensorsOf(files));
  } finally {
    await Promise.all(files.map((file) => file.close()));
  }
}

/** A tensor of one of several files. */
export interface Source {
  readonly file: SafetensorsFile;
  readonly tensor: SafetensorsTensor;
}

export function tensorsOf(files: readonly SafetensorsFile[]): ReadonlyMap<string, Source> {
  const found = new Map<string, Source>();
  for (const file of files) {
    for (const tensor of file.tensors) found.set(currentName(tensor.name), { file, tensor });
  }
  return found;
}

/** Names of BERT's first checkpoints, as Hugging Face reads them (conversion_mapping.py, legacy). */
function currentName(name: string): string {
  return name
    .replace(/LayerNorm\.gamma$/, 'LayerNorm.weight')
    .replace(/LayerNorm\.beta$/, 'LayerNorm.bias');
}

/** The tensor of each parameter; those that may be missing can have none. */
function matchWeights(
  input: WeightsInput,
  found: ReadonlyMap<string, Source>,
): ReadonlyMap<string, Source> {
  const sources = new Map<string, Source>();
  const used = new Set<Source>();
  const problems: string[] = [];
  for (const { name, shape } of input.specs) {
    const source = sourceOf(name, input.basePrefix, found);
    if (source === undefined) {
      if (!input.mayLack.includes(name)) problems.push(`${name} is missing`);
      continue;
    }
    used.add(source);
    const actual = source.tensor.shape;
    if (actual.join() === shape.join()) sources.set(name, source);
    else problems.push(`${name} has the shape [${actual.join()}], expected [${shape.join()}]`);
  }
  for (const [name, source] of found) {
    if (!used.has(source) && !input.knownExtras.test(name)) problems.push(`${name} is unexpected`);
  }
  if (problems.length === 0) return sources;
  throw new Failure(
    'InvalidInput',
    `the weights do not fit config.json: ${problems.join('; ')}; use the config.json that was ` +
      "saved with them (num_labels must be the head's number of classes, or give download-model " +
      'ignore_mismatched_sizes: true for a new head)',
  );
}

/** A parameter's tensor, under its own name or as base checkpoints name it. */
export function sourceOf(
  name: string,
  basePrefix: string,
  found: ReadonlyMap<string, Source>,
): Source | undefined {
  const short = name.startsWith(basePrefix) ? name.slice(basePrefix.length) : name;
  return found.get(name) ?? found.get(short);
}

export async function openWeights(paths: readonly string[]): Promise<readonly SafetensorsFile[]> {
  const files: SafetensorsFile[] = [];
  try {
    for (const path of paths) files.push(await openSafetensors(path));
    return files;
  } catch (error) {
    await Promise.all(files.map((file) => file.close()));
    throw error;
  }
}
