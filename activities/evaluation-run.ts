import { availableParallelism } from 'node:os';
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { readTokenizedSplit } from '../data/tokenized-dataset.ts';
import { Failure } from '../plan/failures.ts';
import type { ArtifactDigest } from '../plan/plan.ts';
import { putArtifact } from '../store/artifacts.ts';
import { openModel as openModelFiles } from '../training/open-model.ts';
import {
  checkMetrics,
  expectedAnswers,
  scoredAnswers,
  type ScoredAnswers,
} from './evaluation-answers.ts';
import type { EvaluateInputs } from './evaluate.ts';
import { runWithinMemory } from './smaller-passes.ts';
import { jobDevice } from './step-device.ts';
import type { StepContext } from './step-context.ts';
import { openModel, openTokenized, requireTokenizerOf } from './tokenized-input.ts';

const configSchema = z.object({
  id2label: z.record(z.string(), z.string()).default({}),
  pad_token_id: z.int().nullish(),
});

interface EvaluateOutputs {
  readonly metrics: Record<string, number>;
  readonly report: ArtifactDigest;
  readonly predictions: ArtifactDigest;
}

/** Scores a model on the rows of a split. */
export async function runEvaluation(
  context: StepContext,
  inputs: EvaluateInputs,
): Promise<EvaluateOutputs> {
  const { store, signal } = context;
  const device = await jobDevice(context, inputs.device);
  const modelFiles = await openModel(store, inputs.model);
  const dataset = await openTokenized(store, inputs.dataset);
  await requireTokenizerOf(store, inputs.model, 'dataset', dataset);
  const { info, file } = dataset;
  const { labels, padTokenId } = await readClassifier(modelFiles['config.json'] ?? '');
  const rows = await readTokenizedSplit(file);
  const { model } = await openModelFiles(modelFiles);
  checkMetrics(model, inputs.metrics ?? []);
  const expected = expectedAnswers(model, { rows, datasetLabels: info.labels, labels });
  const answers = await runWithinMemory(
    {
      kind: 'evaluate',
      ...{ modelFiles, file },
      ...(device && { device }),
      // What a model was trained with decides where it looks for the end of a text.
      padTokenId: padTokenId ?? info.pad_token_id,
      threads: availableParallelism(),
    },
    {
      signal,
      note: (text) => context.note(text),
      onEvent(event) {
        if (event.kind !== 'prediction') return;
        context.progress({ phase: 'evaluating', step: event.rowsDone, max_steps: event.rows });
      },
    },
  );
  const scored = scoredAnswers(answers, expected, rows, labels);
  const metrics = wantedMetrics(scored, inputs.metrics);
  const metadata = { model: inputs.model, dataset: inputs.dataset };
  const all = { ...scored.facts, ...scored.scores, ...scored.details };
  const report = await putArtifact(store, {
    ...{ type: 'report', metadata },
    files: { 'report.json': text(`${JSON.stringify(all, null, 2)}\n`) },
  });
  const lines = scored.predictions.map((row) => `${JSON.stringify(row)}\n`).join('');
  const predictions = await putArtifact(store, {
    ...{ type: 'predictions', metadata },
    files: { 'predictions.jsonl': text(lines) },
  });
  return { metrics, report, predictions };
}

function wantedMetrics(
  { scores, facts }: ScoredAnswers,
  wanted: EvaluateInputs['metrics'],
): Record<string, number> {
  const loss = scores['loss'] ?? NaN;
  if (!Number.isFinite(loss)) throw notNumbers(loss);
  const names: readonly string[] = wanted ?? Object.keys(scores);
  const chosen = Object.fromEntries(names.map((name) => [name, scores[name] ?? NaN]));
  return { ...chosen, ...facts };
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

function notNumbers(loss: number): Failure {
  return new Failure(
    'InvalidInput',
    `the model's loss is ${loss}: its weights hold values that are no numbers, or overflow; ` +
      'use another model, or train it again with a lower learning_rate',
  );
}

function text(content: string): Uint8Array {
  return new TextEncoder().encode(content);
}
