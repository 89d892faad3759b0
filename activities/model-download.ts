import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { SourceOptions } from '../data/sources/source.ts';
import { fetchSource, listSource, resolveSource } from '../data/sources/sources.ts';
import { Failure } from '../plan/failures.ts';
import type { JsonObject, JsonValue } from '../plan/json.ts';
import type { ArtifactDigest } from '../plan/plan.ts';
import { putArtifact } from '../store/artifacts.ts';
import { inspectModel } from '../training/model-inspection.ts';
import { modelTypeOf } from '../training/models/architectures.ts';
import { runJob } from '../training/process.ts';
import { leaveOutMismatched } from '../training/weights/mismatched-weights.ts';
import { noWeights, ONNX_FILE } from '../training/weights/model-files.ts';
import type { DownloadModelInputs } from './download-model.ts';
import { overriddenConfig, requireKnownKeys } from './model-config.ts';
import {
  onnxFiles,
  otherOnnxFiles,
  requireLabelKeys,
  requireTokenizer,
  singleOnnxFile,
} from './onnx-source.ts';
import type { StepContext } from './step-context.ts';
import { TOKENIZER_FILES } from './tokenized-input.ts';

const CONFIG = 'config.json';
const TOKENIZER = 'tokenizer.json';
const WEIGHTS = /^model(-\d+-of-\d+)?\.safetensors(\.index\.json)?$/;

/** Revisions of everything that a model is made from. */
const upstreamSchema = z.object({
  source: z.string().optional(),
  config: z.string().optional(),
  tokenizer: z.string().optional(),
});
type Upstream = z.infer<typeof upstreamSchema>;
type Part = keyof Upstream;
type SourceInputs = DownloadModelInputs & { readonly source: string };

/** Asks upstream for the revisions of the sources that `inputs` name. */
export async function resolveModel(
  context: StepContext,
  inputs: DownloadModelInputs,
): Promise<JsonValue> {
  const sources = sourcesOf(inputs);
  if (inputs.token !== undefined && !Object.values(sources).some(isOfHub)) {
    throw new Failure('InvalidInput', 'token is for hf:// sources, and there is none: remove it');
  }
  const revisions: Record<string, string> = {};
  for (const [part, source] of Object.entries(sources)) {
    const options = sourceOptions(context, inputs, source);
    revisions[part] = (await resolveSource(source, 'model', options)).revision;
  }
  return revisions;
}

function isOfHub(source: string): boolean {
  return /^hf:/i.test(source);
}

function sourceOptions(
  { store, env, signal }: StepContext,
  { token }: DownloadModelInputs,
  source: string,
): SourceOptions {
  return { store, env, signal, ...(token !== undefined && isOfHub(source) && { token }) };
}

function sourcesOf({ source, config, tokenizer }: DownloadModelInputs): {
  readonly [part in Part]?: string;
} {
  return {
    ...(source !== undefined && { source }),
    ...(typeof config === 'string' && { config }),
    ...(tokenizer !== undefined && { tokenizer }),
  };
}

/** The model artifact: a Hugging Face folder or an ONNX one, with config.json as overridden. */
export async function downloadWeights(
  context: StepContext,
  inputs: DownloadModelInputs,
): Promise<{ model: ArtifactDigest; parameters: number }> {
  const upstream = upstreamSchema.parse(context.upstream);
  const overrides = await configOf(context, inputs, upstream);
  const tokenizer =
    inputs.tokenizer === undefined
      ? {}
      : await fetchPart(context, inputs, upstream, 'tokenizer', (names) =>
          names.filter((name) => TOKENIZER_FILES.includes(name)),
        );
  if (inputs.tokenizer !== undefined)
    requireFile(Object.keys(tokenizer), TOKENIZER, inputs.tokenizer);
  const base =
    inputs.source === undefined
      ? await freshModel(context, overrides, inputs.seed ?? 42)
      : await existingModel(context, { ...inputs, source: inputs.source }, upstream, overrides);
  const files = { ...base, ...tokenizer };
  if (inputs.source !== undefined) {
    const isGraphAlone = inputs.source.endsWith('.onnx');
    if (isGraphAlone) requireTokenizer(TOKENIZER in files, inputs.source);
    requireFile(Object.keys(files), TOKENIZER, inputs.source);
  }
  const { architecture, parameters } = await toldOf(inputs.source, () => inspectModel(files));
  const model = await putArtifact(context.store, {
    type: 'model',
    metadata: { architecture, parameters },
    files: Object.fromEntries(Object.entries(files).map(([name, file]) => [name, { file }])),
  });
  return { model, parameters };
}

/** What the action gives; a failure names the source that a person's model came from. */
async function toldOf<T>(source: string | undefined, action: () => T | Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw source !== undefined && error instanceof Failure ? ofSource(source, error) : error;
  }
}

function ofSource(source: string, { type, message }: Failure): Failure {
  return new Failure(type, `"${source}": ${message}`);
}

async function configOf(
  context: StepContext,
  inputs: DownloadModelInputs,
  upstream: Upstream,
): Promise<JsonObject> {
  const { config, source } = inputs;
  if (typeof config !== 'string') {
    requireKnownKeys(config, source === undefined ? {} : undefined);
    return config;
  }
  const files = await fetchPart(context, inputs, upstream, 'config', (names) =>
    names.filter((name) => name.endsWith('.json')),
  );
  const path = files[CONFIG] ?? only(files);
  if (path === undefined) requireFile(Object.keys(files), CONFIG, config);
  return readJsonObject(path ?? '', config);
}

function only(files: Readonly<Record<string, string>>): string | undefined {
  const paths = Object.values(files);
  return paths.length === 1 ? paths[0] : undefined;
}

async function freshModel(
  context: StepContext,
  config: JsonObject,
  seed: number,
): Promise<Readonly<Record<string, string>>> {
  const directory = await partDirectory(context, 'fresh');
  context.progress({ phase: 'making fresh weights' });
  const job = {
    kind: 'initialize',
    ...{ config: overriddenConfig({}, config), seed, directory },
  } as const;
  return (await runJob(job, { signal: context.signal })).modelFiles;
}

async function existingModel(
  context: StepContext,
  inputs: SourceInputs,
  upstream: Upstream,
  overrides: JsonObject,
): Promise<Readonly<Record<string, string>>> {
  const { source, config: given, ignore_mismatched_sizes: isHeadNew } = inputs;
  const fetched = await fetchPart(context, inputs, upstream, 'source', (names) =>
    modelFilesOf(names, source),
  );
  const single = singleOnnxFile(Object.keys(fetched));
  const files = single === undefined ? fetched : { [ONNX_FILE]: fetched[single] ?? '' };
  const isGraph = files[ONNX_FILE] !== undefined;
  if (isGraph) requireLabelKeys(overrides, source);
  const config = single === undefined ? await readJsonObject(files[CONFIG] ?? '', source) : {};
  if (!isGraph) await toldOf(source, () => modelTypeOf(config));
  if (!isGraph && typeof given !== 'string') requireKnownKeys(overrides, config);
  const merged = overriddenConfig(config, overrides);
  const path = join(await partDirectory(context, 'config'), CONFIG);
  await writeFile(path, `${JSON.stringify(merged, null, 2)}\n`);
  const all = { ...files, [CONFIG]: path };
  return isHeadNew === true ? withoutMismatchedHead(context, all) : all;
}

/** Leaves out what has other shapes than config.json says, where training can create it anew. */
async function withoutMismatchedHead(
  context: StepContext,
  files: Readonly<Record<string, string>>,
): Promise<Readonly<Record<string, string>>> {
  const directory = await partDirectory(context, 'without-head');
  const { modelFiles, leftOut } = await leaveOutMismatched(files, directory);
  if (leftOut.length > 0) {
    const names = leftOut.join(', ');
    context.note(`left out ${names}, of another shape than config says: train creates them anew`);
  }
  return modelFiles;
}

/** Files of a model folder that are of use. @throws NotFound when there is no model in it */
function modelFilesOf(names: readonly string[], source: string): readonly string[] {
  const single = singleOnnxFile(names);
  if (single !== undefined) return [single];
  requireFile(names, CONFIG, source);
  const safetensors = names.filter((name) => WEIGHTS.test(name));
  const weights = safetensors.length > 0 ? safetensors : onnxFiles(names);
  if (weights.length === 0) {
    throw otherOnnxFiles(names, source) ?? ofSource(source, noWeights(names));
  }
  return [CONFIG, ...names.filter((name) => TOKENIZER_FILES.includes(name)), ...weights];
}

async function fetchPart(
  context: StepContext,
  inputs: DownloadModelInputs,
  upstream: Upstream,
  part: Part,
  choose: (names: readonly string[]) => readonly string[],
): Promise<Readonly<Record<string, string>>> {
  const source = sourcesOf(inputs)[part];
  const revision = upstream[part];
  if (source === undefined || revision === undefined) {
    throw new Error(`internal: no revision of ${part}`);
  }
  const options = sourceOptions(context, inputs, source);
  const resolved = { source, revision };
  const listed = await listSource(resolved, 'model', options);
  const files = choose(listed.map(({ name }) => name));
  const fetched = await fetchSource(resolved, 'model', {
    ...{ ...options, files },
    directory: await partDirectory(context, `fetched-${part}`),
    onProgress: ({ file, receivedBytes }) =>
      context.progress({ phase: `fetching ${file}`, bytes: receivedBytes }),
  });
  return Object.fromEntries(fetched.map(({ name, path }) => [name, path]));
}

async function partDirectory({ temporaryDirectory }: StepContext, name: string): Promise<string> {
  const directory = join(temporaryDirectory, name);
  await mkdir(directory, { recursive: true });
  return directory;
}

function requireFile(names: readonly string[], name: string, source: string): void {
  if (names.includes(name)) return;
  const found = names.join(', ') || 'none of the files of a model';
  throw new Failure(
    'NotFound',
    `"${source}" has no ${name}, found ${found}: name a folder in Hugging Face's layout ` +
      '(config.json, model.safetensors, tokenizer.json)',
  );
}

async function readJsonObject(path: string, source: string): Promise<JsonObject> {
  const text = await readFile(path, 'utf8');
  try {
    return z.record(z.string(), z.json()).parse(JSON.parse(text));
  } catch (cause) {
    const remedy = 'check that it is the config.json of a model';
    throw new Failure('InvalidInput', `"${source}": not a JSON object: ${remedy}`, { cause });
  }
}
