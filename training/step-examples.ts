import type { TokenizedRows } from '../data/tokenized-dataset.ts';
import { readableTokensOf } from './examples.ts';
import type { ModelDefinition } from './model.ts';
import { dropoutKeys } from './models/dropout-keys.ts';
import type { Example, Targets } from './pass-tensors.ts';

/** The rows that a training makes its effective batches of. */
export interface ExampleSource {
  readonly rows: TokenizedRows;
  readonly model: ModelDefinition;
  readonly padTokenId: number | null;
  /** Factor of each class in the loss; without it all are alike. */
  readonly classWeights?: readonly number[];
  /** Of dropout; undefined for a model without any. */
  readonly dropoutSeed: number | undefined;
}

/**
 * The examples of an effective batch, with each target's factor in the loss.
 *
 * The loss of a classifier is the mean of the micro-batches' means, as Trainer computes it when it
 * scales the loss by the accumulation: the mean over all examples, but where the last micro-batch
 * is short. That of a language model is the mean over all predicted tokens.
 *
 * @param batches row numbers by micro-batch, none of them empty
 */
export function stepExamples(
  source: ExampleSource,
  batches: readonly Uint32Array[],
  epoch: number,
): readonly Example[] {
  const examples = batches.flatMap((batch) => {
    const total = sum(Array.from(batch, (row) => classWeightOf(source, row)));
    return Array.from(batch, (row): Example => {
      const weight = total === 0 ? 0 : classWeightOf(source, row) / (total * batches.length);
      return withDropout(source, row, epoch, {
        inputIds: readableTokensOf(source.rows, row, source.padTokenId),
        targets: rowTargets(source, row, weight),
      });
    });
  });
  return source.model.task === 'causal-lm' ? meanOverTargets(examples) : examples;
}

/** What the loss compares of a row; of a language model each token that has one before it. */
export function rowTargets(
  source: Pick<ExampleSource, 'rows' | 'model' | 'padTokenId'>,
  row: number,
  weight: number,
): Targets {
  const { rows, model, padTokenId } = source;
  if (model.task === 'causal-lm') return predictedTokens(rows, row);
  const ids = readableTokensOf(rows, row, padTokenId);
  const positions = Int32Array.of(model.pooledPosition(ids, padTokenId));
  if (model.valuesWidth === undefined) {
    return { positions, weights: weight, labels: Int32Array.of(rows.labels?.[row] ?? 0) };
  }
  const width = rows.valuesPerRow;
  const values = rows.values?.slice(row * width, (row + 1) * width);
  return { positions, weights: weight, ...(values && { values }) };
}

/** Each of weight 1. A row without any has one of weight 0, as no graph takes none. */
function predictedTokens(rows: TokenizedRows, row: number): Targets {
  const [start = 0, end = 0] = rows.offsets.subarray(row, row + 2);
  const positions: number[] = [];
  for (let token = start + 1; token < end; token++) {
    if (rows.completionMask?.[token] !== 0) positions.push(token - start - 1);
  }
  if (positions.length === 0) {
    return { positions: Int32Array.of(0), labels: Int32Array.of(0), weights: 0 };
  }
  return {
    positions: Int32Array.from(positions),
    labels: Int32Array.from(positions, (position) => rows.inputIds[start + position + 1] ?? 0),
    weights: 1,
  };
}

function meanOverTargets(examples: readonly Example[]): readonly Example[] {
  const counts = examples.map(({ targets }) =>
    targets.weights === 0 ? 0 : targets.positions.length,
  );
  const total = Math.max(1, sum(counts));
  return examples.map((example, i) => ({
    ...example,
    targets: { ...example.targets, weights: counts[i] === 0 ? 0 : 1 / total },
  }));
}

function classWeightOf({ rows, classWeights }: ExampleSource, row: number): number {
  return classWeights?.[rows.labels?.[row] ?? -1] ?? 1;
}

function withDropout(source: ExampleSource, row: number, epoch: number, example: Example): Example {
  if (source.dropoutSeed === undefined) return example;
  const rowId = source.rows.ids[row] ?? '';
  const { length } = example.inputIds;
  const keys = dropoutKeys({ seed: source.dropoutSeed, epoch, rowId, length });
  return { ...example, dropoutKeys: keys };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
