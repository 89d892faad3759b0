import type { Device } from './devices/device.ts';
import type { ClassWeightChoice } from './class-weights.ts';
import type { Precision } from './models/precision.ts';
import type { FreshModel, FreshModelInput } from './fresh-model.ts';
import type { TrainingEvent } from './training-event.ts';
import type { ModelAnswers } from './evaluate.ts';
import type { TrainInput, TrainResult } from './train.ts';
import type { ModelFiles } from './weights/model-files.ts';

/** What a training process can be asked for. Paths are local; the store is opened by its URL. */
export type Job = TrainJob | EvaluateJob | InitializeJob | ProbeJob;

export interface TrainJob extends Pick<
  TrainInput,
  | 'task'
  | 'problemType'
  | 'freeze'
  | 'lora'
  | 'args'
  | 'earlyStopping'
  | 'divergence'
  | 'pack'
  | 'stopAtStep'
  | 'tokensPerPass'
  | 'device'
> {
  readonly kind: 'train';
  readonly modelFiles: ModelFiles;
  /** Arrow file of a split of a tokenized dataset. */
  readonly trainFile: string;
  readonly evalFile?: string;
  readonly labels: readonly string[] | null;
  readonly padTokenId: number | null;
  readonly classWeights?: ClassWeightChoice;
  /** The file is as `trainFile`. @see Replay */
  readonly replay?: { readonly file: string; readonly fraction: number };
  readonly threads: number;
  readonly outputDirectory: string;
  /** @see CheckpointOptions */
  readonly checkpoints?: {
    readonly storeUrl: string;
    readonly key: string;
    readonly everySeconds: number;
    readonly everySteps?: number;
    readonly saveTotalLimit?: number;
    readonly notAfter?: number;
  };
}

export interface EvaluateJob {
  readonly kind: 'evaluate';
  readonly modelFiles: ModelFiles;
  /** Arrow file of a split of a tokenized dataset. */
  readonly file: string;
  readonly padTokenId: number | null;
  readonly threads: number;
  readonly tokensPerPass?: number;
  readonly device?: Device;
}

/** Whether a device computes here. */
export interface ProbeJob {
  readonly kind: 'probe';
  readonly device: Device;
  readonly precision: Precision;
}

export interface InitializeJob extends FreshModelInput {
  readonly kind: 'initialize';
}

export interface JobResults {
  readonly train: TrainResult;
  readonly evaluate: ModelAnswers;
  readonly initialize: FreshModel;
  readonly probe: null;
}

export type JobResult<J extends Job> = JobResults[J['kind']];

/** What happens during a job, for whoever watches. */
export type JobEvent =
  | TrainingEvent
  /** The process that runs the job exists. */
  | { readonly kind: 'process'; readonly pid: number }
  /** Evaluation goes on. */
  | { readonly kind: 'prediction'; readonly rowsDone: number; readonly rows: number };

/** From the parent to the training process. */
export type ParentMessage =
  { readonly kind: 'start'; readonly job: Job } | { readonly kind: 'abort' };

/** From the training process to its parent. */
export type ChildMessage =
  | { readonly kind: 'event'; readonly event: JobEvent }
  | { readonly kind: 'result'; readonly result: JobResults[Job['kind']] }
  /** The job stopped because it was asked to. */
  | { readonly kind: 'aborted' }
  | { readonly kind: 'failure'; readonly type: string; readonly message: string };
