import { availableParallelism } from 'node:os';
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { readTokenizedSplit, type TokenizedRows } from '../data/tokenized-dataset.ts';
import { scoreClassification } from '../evaluation/classification.ts';
import { Failure } from '../plan/failures.ts';
import type { JsonObject } from '../plan/json.ts';
import type { ArtifactDigest } from '../plan/plan.ts';
import { putArtifact } from '../store/artifacts.ts';
import { runJob } from '../training/process.ts';
import type { EvaluateInputs } from './evaluate.ts';
import type { StepContext } from './step-context.ts';
import { openModel, openTokenized } from './tokenized-input.ts';

const configSchema = z.object({ id2label: z.record(z.string(), z.string()) });

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
  const { info, file } = await openTokenized(store, inputs.dataset);
  const rows = await readTokenizedSplit(file);
  const labels = await modelLabels(modelFiles['config.json'] ?? '');
  const expected = expectedClasses(rows, info.labels, labels);
  const { logits, classes, loss } = await runJob(
    {
      kind: 'evaluate',
      ...{ modelFiles, file },
      padTokenId: info.pad_token_id,
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
  const predicted = argmax(logits, classes);
  const scores = scoreClassification({ labels, expected, predicted });
  const all = { ...scores, loss: loss ?? 0 };
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
        predictionLines(rows.ids, { labels, expected, predicted, logits, classes }),
      ),
    },
  });
  const wanted = Object.fromEntries(inputs.metrics.map((name) => [name, all[name]]));
  const { majority_baseline, examples } = scores;
  return { metrics: { ...wanted, majority_baseline, examples }, report, predictions };
}

/** Names of the model's classes, in the order of their ids. */
export async function modelLabels(configFile: string): Promise<readonly string[]> {
  const { id2label } = configSchema.parse(JSON.parse(await readFile(configFile, 'utf8')));
  return Object.entries(id2label)
    .sort(([a], [b]) => Number(a) - Number(b))
    .map(([, label]) => label);
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
        `does not know (it knows ${labels.join(', ')}): evaluate on rows with the labels it was trained on`,
    );
  });
}

function argmax(logits: Float32Array, classes: number): Int32Array {
  return Int32Array.from({ length: logits.length / classes }, (_, row) => {
    const scores = logits.subarray(row * classes, (row + 1) * classes);
    return scores.indexOf(Math.max(...scores));
  });
}

interface PredictedRows {
  readonly labels: readonly string[];
  readonly expected: Int32Array;
  readonly predicted: Int32Array;
  readonly logits: Float32Array;
  readonly classes: number;
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
