import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import type { DatasetInfo, DatasetRow, DatasetShape } from '../../data/dataset.ts';
import type { ArtifactType } from '../../language/step-declaration.ts';
import type { JsonObject, JsonValue } from '../../plan/json.ts';
import type { ArtifactDigest } from '../../plan/plan.ts';
import type { FileContent } from '../../store/artifacts.ts';
import type { StepContext as BuiltInContext } from '../step-context.ts';

/** Rows of a split, all at once or as they come. */
export type Rows = Iterable<DatasetRow> | AsyncIterable<DatasetRow>;

/** A dataset artifact: what its rows are, how many there are of each split, and the rows. */
export interface Dataset extends DatasetInfo {
  /**
   * The rows of a split, in order; without a name, of the only one.
   * @throws Failure InvalidInput when there is no such split, or several to choose from
   */
  rows(split?: string): Promise<Iterable<DatasetRow>>;
}

/** An artifact of any type, as files. */
export interface Artifact {
  readonly type: string;
  readonly metadata: JsonObject;
  /** Local path of each file, by its path in the artifact. They are verified; do not write them. */
  readonly files: { readonly [path: string]: string };
}

export interface NewArtifact {
  /** Datasets are written by `writeDataset`. */
  readonly type: Exclude<ArtifactType, 'dataset'>;
  /** By relative path: bytes, text, or the local file that holds them. */
  readonly files: { readonly [path: string]: FileContent | string };
  /** Facts about it. Nothing that varies between runs, such as a time: equal work gives equal digests. */
  readonly metadata?: JsonObject;
}

/** What `run` and `resolve` of a kind of one's own may use. */
export interface StepContext {
  /**
   * Aborts when the run is cancelled, the worker stops or the step's timeout is over. Hand it on
   * (`fetch(url, { signal })`), or call `signal.throwIfAborted()` between pieces of work.
   */
  readonly signal: AbortSignal;
  /** The worker's environment variables. They are no part of the fingerprint: results must not depend on them. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Which run and step it works for: for `external` kinds, which do nothing twice for one of them. */
  readonly run: { readonly workflowId: string; readonly stepId: string };
  /** What `resolve` answered for this run (effect `source`), else null. */
  readonly upstream: JsonValue;
  /** A folder of this attempt alone, removed when it ends. */
  readonly temporaryDirectory: string;
  /** Live details, shown while the step runs: phase, step, max_steps, loss, tokens_per_second, eta_seconds. */
  progress(details: JsonObject): void;
  /** A sentence shown beside the step's result, after those before. */
  note(text: string): void;
  /** @throws Failure NotFound, CorruptArtifact, InvalidInput when it is no dataset */
  readDataset(dataset: ArtifactDigest): Promise<Dataset>;
  /**
   * Writes a dataset, row by row: any number of rows fits.
   *
   * @param splits the rows of each, by its name
   * @param shape what the rows are: that of another dataset, or `{ content: 'text', labelKind:
   * 'class', labels: ['negative', 'positive'] }`
   * @throws Failure InvalidInput for a row that does not fit, or a split without rows
   */
  writeDataset(
    splits: { readonly [split: string]: Rows },
    shape: DatasetShape,
  ): Promise<ArtifactDigest>;
  /** @throws Failure NotFound, CorruptArtifact */
  readArtifact(artifact: ArtifactDigest): Promise<Artifact>;
  /** @throws Failure InvalidInput for a path that would leave the artifact's folder */
  writeArtifact(artifact: NewArtifact): Promise<ArtifactDigest>;
}

/** The context of one attempt, with what it has for kinds of one's own. Heavy modules load when they are used. */
export function customContext(context: BuiltInContext): StepContext {
  const { store, env, signal, run, upstream, temporaryDirectory } = context;
  return {
    ...{ signal, env, upstream, temporaryDirectory },
    run: { workflowId: run.workflowId, stepId: run.stepId },
    progress: (details) => context.progress(details),
    note: (text) => context.note(text),
    async readDataset(digest) {
      const { readDatasetInfo, readSplit } = await import('../../data/dataset.ts');
      const info = await readDatasetInfo(store, digest);
      return { ...info, rows: async (split) => (await readSplit(store, digest, split)).rows() };
    },
    async writeDataset(splits, shape) {
      const { writeDataset } = await import('../../data/dataset.ts');
      const { checkedRows } = await import('./dataset-rows.ts');
      const groups = Object.entries(splits).map(
        ([split, rows]) => [split, checkedRows(split, rows, shape)] as const,
      );
      const directory = await mkdtemp(join(temporaryDirectory, 'dataset-'));
      const { content, labelKind, labels } = shape;
      const own = { content, labelKind, labels };
      return writeDataset(store, Object.fromEntries(groups), own, { directory, signal });
    },
    async readArtifact(digest) {
      const { artifactFile, readManifest } = await import('../../store/artifacts.ts');
      const manifest = await readManifest(store, digest);
      const files: Record<string, string> = {};
      for (const { path } of manifest.files) {
        files[path] = await artifactFile(store, manifest, path);
      }
      return { type: manifest.type, metadata: manifest.metadata, files };
    },
    async writeArtifact({ type, files, metadata = {} }) {
      const { putArtifact } = await import('../../store/artifacts.ts');
      const contents = Object.entries(files).map(([path, content]): [string, FileContent] => [
        path,
        typeof content === 'string' ? new TextEncoder().encode(content) : content,
      ]);
      return putArtifact(store, { type, metadata, files: Object.fromEntries(contents) });
    },
  };
}
