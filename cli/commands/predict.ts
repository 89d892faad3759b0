import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { readClassifier } from '../../activities/evaluation-run.ts';
import { openModel } from '../../activities/tokenized-input.ts';
import { writeTokenizedSplit } from '../../data/tokenized-dataset.ts';
import { loadTokenizer } from '../../data/tokenizer.ts';
import { resolveModel } from '../../store/registry.ts';
import { inspectModel } from '../../training/model-inspection.ts';
import { runJob } from '../../training/process.ts';
import { CommandError } from '../command-error.ts';
import { printJson, printLines, table } from '../output.ts';
import { openUserStore } from './session.ts';

/** `retune predict NAME[@alias] "text"`: the label and the probability of each. */
export async function predict(
  reference: string,
  text: string,
  { json }: { json?: boolean },
): Promise<number> {
  const store = await openUserStore();
  const { name, version } = await resolveModel(store, reference);
  const modelFiles = await openModel(store, version.model);
  const { labels, padTokenId } = await readClassifier(modelFiles['config.json'] ?? '');
  const { positions: modelLimit } = await inspectModel(modelFiles);
  const tokenizer = await loadTokenizer(store, version.model, { modelLimit });
  const [encoded] = await tokenizer.encode([text]);
  if (encoded === undefined || encoded.inputIds.length === 0) {
    throw new CommandError('the text is empty: give some words to classify');
  }
  const directory = await mkdtemp(join(tmpdir(), 'retune-predict-'));
  try {
    const file = join(directory, 'text.arrow');
    const { inputIds } = encoded;
    const row = { id: 'text', inputIds, label: null, values: null, completionMask: null };
    const columns = { label: false, valuesPerRow: 0, completionMask: false };
    await writeTokenizedSplit(file, [[row]], columns);
    const threads = availableParallelism();
    const job = { kind: 'evaluate', modelFiles, file, padTokenId, threads } as const;
    const answers = await runJob(job);
    if (answers.task === 'causal-lm' || answers.problemType !== 'single_label_classification') {
      throw new CommandError(
        `${name} v${version.version} does not tell one class a text: predict is for models that do; ` +
          'score it by evaluate@1',
      );
    }
    const scores = ranked(labels, answers.logits.logits);
    const label = scores[0]?.label ?? '';
    if (json) {
      const probabilities = Object.fromEntries(scores.map((score) => [score.label, score.p]));
      const { truncated } = encoded;
      printJson({ model: name, version: version.version, label, probabilities, truncated });
    } else {
      printLines([
        `${label}  (${name} v${version.version})`,
        ...table(scores.map((score) => [`  ${score.label}`, `${(100 * score.p).toFixed(1)} %`])),
        ...(encoded.truncated
          ? [`the text is long: only ${encoded.inputIds.length} tokens of it were read`]
          : []),
      ]);
    }
    return 0;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Softmax of the logits, the most probable label first. */
function ranked(labels: readonly string[], logits: Float32Array): { label: string; p: number }[] {
  const highest = Math.max(...logits);
  const weights = Array.from(logits, (logit) => Math.exp(logit - highest));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return labels
    .map((label, index) => ({ label, p: (weights[index] ?? 0) / total }))
    .sort((a, b) => b.p - a.p);
}
