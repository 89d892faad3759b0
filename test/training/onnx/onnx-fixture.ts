import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { ModelGraph } from '../../../training/models/model-graph.ts';
import { importClassifier, type ImportedClassifier } from '../../../training/onnx/classifier.ts';
import { openSafetensors } from '../../../training/weights/safetensors-file.ts';
import type { Objective } from '../../../training/models/objectives.ts';
import { evaluator, type NamedNumbers, type Numbers } from '../graph/evaluation.ts';

/** How an export keeps one of torch's parameters. */
type Kept = 'same' | 'transposed' | 'rows';

export interface Example {
  readonly input_ids: readonly number[];
  readonly label: number;
}

/** What make-onnx-classifiers.py wrote of an architecture: numbers of torch in float64. */
export interface Reference {
  readonly pad_token_id: number;
  readonly examples: readonly Example[];
  readonly logits: readonly (readonly number[])[];
  /** Mean cross entropy of the examples. */
  readonly loss: number;
  readonly training: {
    readonly settings: {
      readonly learning_rate: number;
      readonly betas: readonly [number, number];
      readonly epsilon: number;
      readonly weight_decay: number;
      readonly max_grad_norm: number;
    };
    readonly steps: readonly { rows: readonly number[]; loss: number; grad_norm: number }[];
  };
}

export interface OnnxFixture {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly classifier: ImportedClassifier;
  readonly reference: Reference;
  /** d loss / d initializer, in the layout of the file. */
  readonly gradients: ReadonlyMap<string, Float32Array>;
}

export const SINGLE_LABEL: Objective = {
  problemType: 'single_label_classification',
  labelSmoothing: 0,
};

interface Export {
  readonly architecture: string;
  readonly shape: readonly [number, number] | null;
  readonly parameters: { readonly [initializer: string]: readonly [string, Kept] };
}

function path(file: string): string {
  return fileURLToPath(new URL(`../../fixtures/onnx/${file}`, import.meta.url));
}

async function json<T>(file: string): Promise<T> {
  return JSON.parse(await readFile(path(file), 'utf8')) as T;
}

const EXPORTS = await json<{ readonly [name: string]: Export }>('exports.json');

export const EXPORT_NAMES = Object.keys(EXPORTS);

export function readOnnx(name: string): Promise<Uint8Array> {
  return readFile(path(`${name}.onnx`));
}

export async function readFixture(name: string): Promise<OnnxFixture> {
  const described = EXPORTS[name];
  if (described === undefined) throw new Error(`there is no export ${name}`);
  const bytes = await readOnnx(name);
  return {
    name,
    bytes,
    classifier: importClassifier(bytes),
    reference: await json<Reference>(`${described.architecture}.json`),
    gradients: await gradientsOf(described),
  };
}

async function gradientsOf(described: Export): Promise<ReadonlyMap<string, Float32Array>> {
  const file = await openSafetensors(path(`${described.architecture}.safetensors`));
  const gradients = new Map<string, Float32Array>();
  for (const [initializer, [parameter, kept]] of Object.entries(described.parameters)) {
    const tensor = file.tensors.find(({ name }) => name === parameter);
    if (tensor === undefined) throw new Error(`there is no gradient of ${parameter}`);
    const [rows = 1, columns = 1] = tensor.shape;
    const values = new Float32Array(rows * columns);
    await file.read(tensor, values);
    gradients.set(initializer, laidOut(values, { rows, columns, kept, shape: described.shape }));
  }
  await file.close();
  return gradients;
}

function laidOut(
  values: Float32Array,
  {
    rows,
    columns,
    kept,
    shape,
  }: { rows: number; columns: number; kept: Kept; shape: Export['shape'] },
): Float32Array {
  switch (kept) {
    case 'same':
      return values;
    case 'transposed':
      return values.map((_, i) => values[(i % rows) * columns + Math.floor(i / rows)] ?? NaN);
    case 'rows':
      return values.subarray(0, (shape?.[1] ?? rows) * columns);
  }
}

export interface ClassifierRun {
  readonly classifier: ImportedClassifier;
  readonly graph: ModelGraph;
  readonly examples: readonly Example[];
  readonly padTokenId: number;
  /** In place of the file's. */
  readonly weights?: ReadonlyMap<string, Float32Array>;
  /** Factor of an example in the loss; 1 / examples when left out. */
  readonly weight?: number;
  readonly threads?: number;
}

/** Runs a graph over examples, one a row, in as many passes as it takes; logits in order, else sums. */
export async function runClassifier(run: ClassifierRun): Promise<Map<string, number[]>> {
  const { classifier, graph, examples, padTokenId, threads = 1 } = run;
  const compiled = evaluator(graph, threads);
  const totals = new Map<string, number[]>();
  const size = classifier.rows ?? examples.length;
  for (let first = 0; first < examples.length; first += size) {
    const pass = examples.slice(first, first + size);
    const weight = run.weight ?? 1 / examples.length;
    const outputs = await compiled.run({
      ...batchOf(classifier, pass, padTokenId, weight),
      ...weightsOf(classifier, run.weights),
    });
    for (const [name, values] of Object.entries(outputs)) {
      const numbers = Array.from(values, Number);
      const before = totals.get(name);
      if (before === undefined) totals.set(name, numbers);
      else if (name === 'logits' || name === 'losses') before.push(...numbers);
      else
        totals.set(
          name,
          before.map((value, i) => value + (numbers[i] ?? NaN)),
        );
    }
  }
  compiled.release();
  return totals;
}

/** Token ids as a pass has them: [R,T]. */
export function paddedRows(
  { rows, tokens }: ImportedClassifier,
  examples: readonly Example[],
  padTokenId: number,
): Numbers {
  const T = tokens ?? Math.max(...examples.map(({ input_ids }) => input_ids.length));
  const R = rows ?? examples.length;
  const data = Array.from(
    { length: R * T },
    (_, i) => examples[Math.floor(i / T)]?.input_ids[i % T] ?? padTokenId,
  );
  return { shape: [R, T], data };
}

function batchOf(
  classifier: ImportedClassifier,
  examples: readonly Example[],
  padTokenId: number,
  weight: number,
): NamedNumbers {
  const rows = paddedRows(classifier, examples, padTokenId);
  const { shape } = rows;
  const T = shape[1] ?? 0;
  const isToken = Array.from(
    rows.data,
    (_, i) => i % T < (examples[Math.floor(i / T)]?.input_ids.length ?? 0),
  );
  const each = (of: (example: Example, i: number) => number): Numbers => ({
    shape: [examples.length],
    data: examples.map(of),
  });
  return {
    input_ids: rows,
    position_ids: { shape, data: isToken.map((is, i) => (is ? i % T : 0)) },
    segment_ids: { shape, data: isToken.map((is, i) => (is ? Math.floor(i / T) : -1)) },
    pooled_index: each((_, row) => row * T),
    labels: each(({ label }) => label),
    example_weights: each(() => weight),
  };
}

/** The mean loss of a reference's examples, with gradients. */
export function trainOn(
  classifier: ImportedClassifier,
  { examples, pad_token_id: padTokenId }: Reference,
  trainable = classifier.parameters.map(({ name }) => name),
  threads = 1,
): Promise<Map<string, number[]>> {
  const graph = classifier.trainingGraph(SINGLE_LABEL, trainable);
  return runClassifier({ classifier, graph, examples, padTokenId, threads });
}

function weightsOf(
  classifier: ImportedClassifier,
  weights: ReadonlyMap<string, Float32Array> = new Map(),
): NamedNumbers {
  return Object.fromEntries(
    classifier.parameters.map(({ name, shape }) => [
      name,
      { shape, data: weights.get(name) ?? classifier.weights(name) },
    ]),
  );
}
