import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { Failure } from '../../plan/failures.ts';
import { artifactFile, readManifest } from '../../store/artifacts.ts';
import type { ArtifactDigest, ArtifactFile, ArtifactManifest, Store } from '../../store/store.ts';
import { DEVICES } from '../devices/device.ts';
import type { Platform } from '../platform.ts';
import { trainingProgressSchema, type TrainingProgress } from '../training-progress.ts';
import { CHECKPOINT_TYPE, isDamage } from './checkpoint-store.ts';
import { readSegment, type StateSegment } from './state-segments.ts';

export const PROGRESS_PATH = 'progress.json';
const PARAMETERS = 'parameters/';
const BEST = 'best/';

const metadataSchema = z.object({
  step: z.int().min(0),
  layout: z.string(),
  platform: z.object({
    library: z.string(),
    provider: z.enum(DEVICES),
    instructionSet: z.string(),
  }),
  /** Whose parameters `best/...` are; null without a best. */
  best_step: z.int().min(0).nullable(),
});

export type CheckpointMetadata = z.infer<typeof metadataSchema>;

/** The best parameters of a training, as files of every checkpoint since they were found. */
export interface Best {
  readonly step: number;
  /** `best/parameters/...`: the blobs of the checkpoint of that step. */
  readonly files: readonly ArtifactFile[];
}

/** A checkpoint's parameters as the files of a best. */
export function bestFiles(files: readonly ArtifactFile[]): readonly ArtifactFile[] {
  return files
    .filter(({ path }) => path.startsWith(PARAMETERS))
    .map((file) => ({ ...file, path: `${BEST}${file.path}` }));
}

/** Where checkpoints are read from, and the state that they fill. */
export interface CheckpointSource {
  readonly store: Store;
  readonly key: string;
  readonly segments: readonly StateSegment[];
  /** Digest of the state's layout. */
  readonly layout: string;
}

export interface LoadedCheckpoint {
  readonly progress: TrainingProgress;
  readonly platform: Platform;
  readonly best: Best | undefined;
}

/**
 * Fills the state from a checkpoint. Every digest, the best's too, is verified before the first
 * byte of the state changes.
 * @throws CorruptArtifact, NotFound or InvalidInput when it is damaged or not of this training
 */
export async function loadCheckpoint(
  source: CheckpointSource,
  digest: ArtifactDigest,
): Promise<LoadedCheckpoint> {
  const { store, segments } = source;
  const manifest = await readManifest(store, digest, CHECKPOINT_TYPE);
  const metadata = checked(metadataSchema, manifest.metadata);
  if (metadata.layout !== source.layout) {
    throw new Failure('InvalidInput', 'it was written for another model or by another build');
  }
  const best = bestOf(manifest, metadata);
  const reads = await verified(source, manifest, segments, '');
  if (best !== undefined) await verified(source, manifest, parametersOf(source), BEST);
  const json = await readFile(await artifactFile(store, manifest, PROGRESS_PATH), 'utf8');
  const progress = checked(trainingProgressSchema, parsed(json));
  for (const read of reads) await read();
  return { progress, platform: metadata.platform, best };
}

/**
 * Fills the state's parameters from the best.
 * @throws CorruptArtifact when they are damaged; then their checkpoints are
 */
export async function loadBest(source: CheckpointSource, best: Best): Promise<void> {
  const manifest = { type: CHECKPOINT_TYPE, metadata: {}, files: best.files };
  try {
    const reads = await verified(source, manifest, parametersOf(source), BEST);
    for (const read of reads) await read();
  } catch (error) {
    if (!isDamage(error)) throw error;
    throw new Failure(
      'CorruptArtifact',
      `the best parameters of this training, of step ${best.step}, are damaged: ${error.message}; ` +
        'the next attempt goes on from an older checkpoint, or from the beginning',
      { cause: error },
    );
  }
}

function bestOf(manifest: ArtifactManifest, metadata: CheckpointMetadata): Best | undefined {
  if (metadata.best_step === null) return undefined;
  const files = manifest.files.filter(({ path }) => path.startsWith(BEST));
  return { step: metadata.best_step, files };
}

function parametersOf({ segments }: CheckpointSource): readonly StateSegment[] {
  return segments.filter(({ path }) => path.startsWith(PARAMETERS));
}

/** Verifies the segments' blobs. @returns what reads each into its place */
async function verified(
  { store, key }: CheckpointSource,
  manifest: ArtifactManifest,
  segments: readonly StateSegment[],
  prefix: string,
): Promise<readonly (() => Promise<void>)[]> {
  const reads: (() => Promise<void>)[] = [];
  for (const segment of segments) {
    const file = await artifactFile(store, manifest, `${prefix}${segment.path}`);
    reads.push(() => readSegment(file, key, segment));
  }
  return reads;
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json) as unknown;
  } catch {
    return undefined;
  }
}

function checked<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new Failure('InvalidInput', 'it was written by another build');
}
