import { mkdir, readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { LabelKind } from '../data/dataset.ts';
import type { TokenizedDatasetInfo } from '../data/tokenized-dataset.ts';
import type { Verdict } from '../evaluation/verdicts.ts';
import { Failure } from '../plan/failures.ts';
import type { JsonObject } from '../plan/json.ts';
import type { ArtifactDigest } from '../plan/plan.ts';
import { putArtifact } from '../store/artifacts.ts';
import { inspectModel } from '../training/model-inspection.ts';
import type { LoraOptions } from '../training/models/lora.ts';
import type { ProblemType } from '../training/models/problem-types.ts';
import type { JobEvent, JobResult, TrainJob } from '../training/process.ts';
import { precisionOf } from '../training/precision-choice.ts';
import { writeText } from '../training/trained-model.ts';
import { runWithinMemory } from './smaller-passes.ts';
import { jobDevice } from './step-device.ts';
import type { StepContext } from './step-context.ts';
import {
  openModel,
  openTokenized,
  requireTokenizerOf,
  TOKENIZER_FILES,
  type TokenizedInput,
} from './tokenized-input.ts';
import type { TrainInputs } from './train.ts';

/** The longest that training goes on without a checkpoint. */
const CHECKPOINT_SECONDS = 120;
const TOKENIZER_CONFIG = 'tokenizer_config.json';
const CHAT_TEMPLATE = 'chat_template.jinja';

/** What is predicted of rows, by what their labels are. */
const PROBLEM_TYPES = {
  class: 'single_label_classification',
  classes: 'multi_label_classification',
  number: 'regression',
} as const satisfies Record<LabelKind, ProblemType>;

interface TrainOutputs {
  readonly model: ArtifactDigest;
  readonly metrics: Record<string, number>;
  readonly history: ArtifactDigest;
  readonly best_step: number;
  readonly verdict: Verdict['verdict'];
  readonly verdict_reasons: string[];
}

/** Trains in a process of its own; checkpoints are in the store under the context's key. */
export async function runTraining(
  context: StepContext,
  inputs: TrainInputs,
): Promise<TrainOutputs> {
  const { store, signal, checkpointKey, temporaryDirectory } = context;
  const device = await jobDevice(context, inputs.device, precisionOf(inputs.args));
  const modelFiles = await openModel(store, inputs.model);
  const rows = await openTokenized(store, inputs.train_dataset);
  const evalRows = inputs.eval_dataset && (await openTokenized(store, inputs.eval_dataset));
  if (evalRows) checkAlike(rows, evalRows, 'eval_dataset');
  const replayRows = inputs.replay && (await openTokenized(store, inputs.replay.dataset));
  if (replayRows) checkAlike(rows, replayRows, 'replay.dataset');
  await requireTokenizerOf(store, inputs.model, 'train_dataset', rows);
  const outputDirectory = join(temporaryDirectory, 'model');
  await mkdir(outputDirectory);
  const job: TrainJob = {
    kind: 'train',
    ...settingsOf(inputs, rows.info.label_kind),
    ...(device && { device }),
    modelFiles,
    trainFile: rows.file,
    ...(evalRows && { evalFile: evalRows.file }),
    labels: rows.info.labels,
    padTokenId: rows.info.pad_token_id,
    ...(inputs.replay &&
      replayRows && { replay: { file: replayRows.file, fraction: inputs.replay.fraction } }),
    threads: availableParallelism(),
    outputDirectory,
    checkpoints: {
      storeUrl: store.url,
      key: checkpointKey,
      everySeconds: CHECKPOINT_SECONDS,
      saveTotalLimit: inputs.args.save_total_limit,
      ...(inputs.stop_at_step !== undefined && { notAfter: inputs.stop_at_step }),
    },
  };
  const note = noteKeeper(context);
  const result = await runWithinMemory(job, {
    ...{ signal, note, onEvent: eventWatcher(context, note) },
  });
  for (const text of closingNotes(result)) note(text);
  const tokenizer = await trainedTokenizer(modelFiles, rows.info, outputDirectory);
  return putOutputs(context, tokenizer, result);
}

/** What the inputs say of the training besides models and datasets. */
function settingsOf(
  inputs: TrainInputs,
  labelKind: LabelKind | null,
): Pick<
  TrainJob,
  | 'task'
  | 'args'
  | 'problemType'
  | 'classWeights'
  | 'freeze'
  | 'lora'
  | 'earlyStopping'
  | 'divergence'
  | 'pack'
  | 'stopAtStep'
> {
  const { task, args, divergence, freeze, lora, pack } = inputs;
  const problemType = inputs.problem_type ?? (labelKind && PROBLEM_TYPES[labelKind]);
  return {
    ...{ task, args, pack },
    ...(problemType && { problemType }),
    ...(inputs.class_weights && { classWeights: inputs.class_weights }),
    ...(freeze && { freeze }),
    ...(lora && { lora: loraOptions(lora) }),
    ...(inputs.early_stopping && { earlyStopping: inputs.early_stopping }),
    ...(divergence !== 'off' && { divergence }),
    ...(inputs.stop_at_step !== undefined && { stopAtStep: inputs.stop_at_step }),
  };
}

/**
 * The base's tokenizer with the pad token of the training: `tokenizer(texts, padding=True)` of
 * transformers, and prediction here, need one. A model tuned on messages keeps their template.
 * @returns local paths by name
 */
async function trainedTokenizer(
  base: Readonly<Record<string, string>>,
  { pad_token, chat_template: template }: TokenizedDatasetInfo,
  directory: string,
): Promise<Readonly<Record<string, string>>> {
  const files = Object.entries(base).filter(([name]) => TOKENIZER_FILES.includes(name));
  const given = base[TOKENIZER_CONFIG];
  const config = given === undefined ? {} : JSON.parse(await readFile(given, 'utf8'));
  const written: Record<string, string> = {
    [TOKENIZER_CONFIG]: `${JSON.stringify({ ...config, pad_token }, null, 2)}\n`,
    ...(template !== null && { [CHAT_TEMPLATE]: template }),
  };
  const own = Object.keys(written).map((name) => [name, join(directory, name)] as const);
  for (const [name, path] of own) await writeText(path, written[name] ?? '');
  return Object.fromEntries([...files, ...own]);
}

async function putOutputs(
  { store }: StepContext,
  tokenizer: Readonly<Record<string, string>>,
  result: JobResult<TrainJob>,
): Promise<TrainOutputs> {
  const files = { ...result.modelFiles, ...tokenizer };
  const { architecture, parameters } = await inspectModel(result.modelFiles);
  const model = await putArtifact(store, {
    type: 'model',
    metadata: { architecture, parameters },
    files: Object.fromEntries(Object.entries(files).map(([name, file]) => [name, { file }])),
  });
  const history = await putArtifact(store, {
    type: 'history',
    metadata: { exact: result.exact },
    files: { 'history.jsonl': { file: result.historyFile } },
  });
  const { verdict, reasons } = result.verdict;
  return {
    ...{ model, history, verdict },
    metrics: { ...result.metrics },
    best_step: result.bestStep,
    verdict_reasons: [...reasons],
  };
}

/** A step shows one note: the newest would hide those before it. */
function noteKeeper(context: StepContext): (text: string) => void {
  const notes: string[] = [];
  return (text) => {
    notes.push(text);
    context.note(notes.join('; '));
  };
}

/** What a person should know of a training that has ended. */
function closingNotes({ exact, verdict: { verdict, reasons } }: JobResult<TrainJob>): string[] {
  const needsNothing = verdict === 'good' || verdict === 'unclear';
  return [
    ...(exact
      ? []
      : [
          'the platform changed or memory ran out on the way: the last bits may differ (exact: false)',
        ]),
    ...(needsNothing ? [] : [`${verdict}: ${reasons.join('; ')}`]),
  ];
}

function checkAlike(train: TokenizedInput, other: TokenizedInput, name: string): void {
  const [a, b] = [train.info, other.info];
  if (a.tokenizer !== b.tokenizer || a.pad_token_id !== b.pad_token_id) {
    throw new Failure(
      'InvalidInput',
      `train_dataset and ${name} were tokenized differently: use one tokenizer and pad_token ` +
        'for both tokenize steps',
    );
  }
  if (JSON.stringify(a.labels) !== JSON.stringify(b.labels)) {
    throw new Failure(
      'InvalidInput',
      `train_dataset has the labels ${String(a.labels)}, ${name} ${String(b.labels)}: ` +
        'take both from one download-dataset step',
    );
  }
}

function loraOptions({ target_modules, ...rest }: NonNullable<TrainInputs['lora']>): LoraOptions {
  return { ...rest, ...(target_modules !== undefined && { targetModules: target_modules }) };
}

function evalScores(scores: { readonly [name: string]: number }): JsonObject {
  return Object.fromEntries(Object.entries(scores).map(([name, score]) => [`eval_${name}`, score]));
}

/** Turns the job's events into live details and what the ledger keeps of them. */
function eventWatcher(
  context: StepContext,
  note: (text: string) => void,
): (event: JobEvent) => void {
  let hasStepped = false;
  let details: JsonObject = {};
  const show = (next: JsonObject): void => {
    details = { ...details, ...next };
    context.progress(details);
  };
  const record = (step: number): void => {
    const reached = { step, at: Date.now() };
    context.record({
      ...(!hasStepped && { firstOptimizerStep: reached }),
      lastOptimizerStep: reached,
    });
    hasStepped = true;
  };
  return (event) => {
    switch (event.kind) {
      case 'started':
        context.record({ resumedFromStep: event.resumedFromStep });
        show({ step: event.resumedFromStep, max_steps: event.totalSteps });
        return;
      case 'trainable':
        show({ trainable: event.message });
        if (event.isPart) context.note(`training ${event.message}`);
        return;
      case 'step':
        record(event.step);
        show({
          step: event.step,
          max_steps: event.totalSteps,
          epoch: event.epoch,
          loss: event.loss,
          learning_rate: event.learningRate,
          grad_norm: event.gradNorm,
          tokens_per_second: event.tokensPerSecond,
          eta_seconds: event.etaSeconds,
        });
        return;
      case 'evaluation':
        show({ eval_loss: event.loss, ...evalScores(event.scores) });
        return;
      case 'checkpoint':
        show({ checkpoint_step: event.step });
        return;
      case 'note':
        note(event.message);
        return;
      case 'process':
        show({ pid: event.pid });
        return;
      case 'prediction':
        return;
    }
  };
}
