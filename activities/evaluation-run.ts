import { availableParallelism } from 'node:os';
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { readTokenizedSplit, type TokenizedRows } from '../data/tokenized-dataset.ts';
import { scoreClassification } from '../evaluation/classification.ts';
import { meanCrossEntropy, predictedClasses, type Logits } from '../evaluation/logits.ts';
import { Failure } from '../plan/failures.ts';
import type { JsonObject } from '../plan/json.ts';
import type { ArtifactDigest } from '../plan/plan.ts';
import { putArtifact } from '../store/artifacts.ts';
import { runJob } from '../training/process.ts';
import type { EvaluateInputs } from './evaluate.ts';
import type { StepContext } from './step-context.ts';
import { openModel, openTokenized, requireTokenizerOf } from './tokenized-input.ts';

const configSchema = z.object({
  id2label: z.record(z.string(), z.string()),
  pad_token_id: z.int().nullish(),
});

interface EvaluateOutputs {
  readonly metrics: Record<string, number>;
  readonly report: ArtifactDigest;
  readonly predictions: ArtifactDigest;
}

/** Scores a model on a labelled split; the report has the confusion matrix and every class. */
export async function runEvaluation(
  context: StepContext,
  inputs: EvaluateInputs,
): Promise<EvaluateOutputs> {
  const { store, signal } = context;
  const modelFiles = await openModel(store, inputs.model);
  const dataset = await openTokenized(store, inputs.dataset);
  await requireTokenizerOf(store, inputs.model, 'dataset', dataset);
  const { info, file } = dataset;
  const rows = await readTokenizedSplit(file);
  const { labels, padTokenId } = await readClassifier(modelFiles['config.json'] ?? '');
  const expected = expectedClasses(rows, info.labels, labels);
  const answer = await runJob(
    {
      kind: 'evaluate',
      ...{ modelFiles, file },
      // What a model was trained with decides where it looks for the end of a text.
      padTokenId: padTokenId ?? info.pad_token_id,
      threads: availableParallelism(),
    },
    {
      signal,
      onEvent(event) {
        if (event.kind !== 'prediction') return;
        context.progress({ phase: 'evaluating', step: event.rowsDone, max_steps: event.rows });
      },
    },
  );
  const loss = meanCrossEntropy(answer, expected);
  if (!Number.isFinite(loss)) throw notNumbers(loss);
  const predicted = predictedClasses(answer);
  const scores = scoreClassification({ labels, expected, predicted });
  const all = { ...scores, loss };
  const report = await putArtifact(store, {
    type: 'report',
    metadata: { model: inputs.model, dataset: inputs.dataset },
    files: { 'report.json': text(`${JSON.stringify(all, null, 2)}\n`) },
  });
  const predictions = await putArtifact(store, {
    type: 'predictions',
    metadata: { model: inputs.model, dataset: inputs.dataset },
    files: {
      'predictions.jsonl': text(
        predictionLines(rows.ids, { labels, expected, predicted, ...answer }),
      ),
    },
  });
  const wanted = Object.fromEntries(inputs.metrics.map((name) => [name, all[name]]));
  const { majority_baseline, examples } = scores;
  return { metrics: { ...wanted, majority_baseline, examples }, report, predictions };
}

/** What a classifier's config.json says of its answers. */
export interface ClassifierFacts {
  /** Names of the classes, in the order of their ids. */
  readonly labels: readonly string[];
  readonly padTokenId: number | null;
}

export async function readClassifier(configFile: string): Promise<ClassifierFacts> {
  const config = configSchema.parse(JSON.parse(await readFile(configFile, 'utf8')));
  const labels = Object.entries(config.id2label)
    .sort(([a], [b]) => Number(a) - Number(b))
    .map(([, label]) => label);
  return { labels, padTokenId: config.pad_token_id ?? null };
}

/** The rows' labels as classes of the model: by name where the names differ in order or number. */
function expectedClasses(
  rows: TokenizedRows,
  datasetLabels: readonly string[] | null,
  labels: readonly string[],
): Int32Array {
  if (rows.labels === null || datasetLabels === null) {
    throw new Failure(
      'InvalidInput',
      "dataset has no labels to compare with: name the label column in download-dataset's `label`",
    );
  }
  const classes = datasetLabels.map((name) => labels.indexOf(name));
  return rows.labels.map((label, row) => {
    const found = classes[label] ?? -1;
    if (found >= 0) return found;
    throw new Failure(
      'InvalidInput',
      `row ${rows.ids[row] ?? row} has the label '${datasetLabels[label] ?? label}', which the model ` +
        `does not know (it knows ${labels.join(', ')}): evaluate on rows with the labels it was ` +
        "trained on, or name its classes by id2label in download-model's `config`",
    );
  });
}

function notNumbers(loss: number): Failure {
  return new Failure(
    'InvalidInput',
    `the model's loss is ${loss}: its weights hold values that are no numbers, or overflow; ` +
      'use another model, or train it again with a lower learning_rate',
  );
}

interface PredictedRows extends Logits {
  readonly labels: readonly string[];
  readonly expected: Int32Array;
  readonly predicted: Int32Array;
}

function predictionLines(ids: readonly string[], rows: PredictedRows): string {
  const { labels, expected, predicted, logits, classes } = rows;
  return ids
    .map((id, row): JsonObject => ({
      id,
      expected: labels[expected[row] ?? 0] ?? '',
      predicted: labels[predicted[row] ?? 0] ?? '',
      logits: [...logits.subarray(row * classes, (row + 1) * classes)],
    }))
    .map((row) => `${JSON.stringify(row)}\n`)
    .join('');
}

function text(content: string): Uint8Array {
  return new TextEncoder().encode(content);
}
