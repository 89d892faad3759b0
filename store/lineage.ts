import type { JsonValue } from '../plan/json.ts';
import { artifactRef } from './artifacts.ts';
import { producerOf } from './cache.ts';
import type { ArtifactsByPath } from './cache.ts';
import { getRecord } from './records.ts';
import type { ArtifactDigest, Store } from './store.ts';

/** Where one artifact came from. */
export type LineageNode = {
  readonly artifact: ArtifactDigest;
  /** Type of the artifact, or null when the store no longer lists it. */
  readonly type: string | null;
  /** Kind and fingerprint of the step that made it, or null when no published result names one. */
  readonly kind: string | null;
  readonly fingerprint: string | null;
  /** The artifacts that the step read, by the path of its input. */
  readonly inputs: ArtifactsByPath;
  /** Of a data source: the revision that it read. */
  readonly upstream: JsonValue;
};

/**
 * Everything an artifact was made from: the artifact itself first, each artifact before those that
 * it was made from, and the sources, which were made from none, last.
 */
export async function lineage(
  store: Store,
  artifact: ArtifactDigest,
): Promise<readonly LineageNode[]> {
  const seen = new Set<ArtifactDigest>();
  const nodes: LineageNode[] = [];
  const visit = async (digest: ArtifactDigest): Promise<void> => {
    if (seen.has(digest)) return;
    seen.add(digest);
    const node = await describe(store, digest);
    for (const input of Object.values(node.inputs)) await visit(input);
    nodes.push(node);
  };
  await visit(artifact);
  nodes.reverse();
  const isSource = (node: LineageNode): boolean => Object.keys(node.inputs).length === 0;
  return [...nodes.filter((node) => !isSource(node)), ...nodes.filter(isSource)];
}

async function describe(store: Store, artifact: ArtifactDigest): Promise<LineageNode> {
  const listed = await getRecord<{ readonly type: string }>(store, artifactRef(artifact));
  const entry = await producerOf(store, artifact);
  return {
    artifact,
    type: listed?.record.type ?? null,
    kind: entry?.kind ?? null,
    fingerprint: entry?.fingerprint ?? null,
    inputs: entry?.inputArtifacts ?? {},
    upstream: entry?.upstream ?? null,
  };
}
