import { z } from 'zod';
import { schemaFacts } from '../language/step-declaration.ts';
import { Failure } from '../plan/failures.ts';
import { readManifest, verifyArtifact } from '../store/artifacts.ts';
import type { Store } from '../store/store.ts';
import type { ArtifactDigest } from '../plan/plan.ts';
import type { ActivityDependencies } from './activities.ts';
import type { CheckOutputsInput } from './contract.ts';
import { declarationOf } from './declaration.ts';
import { controlFailure } from './failures.ts';
import { schemaProblems } from './schema-problems.ts';

/**
 * Outputs that a person gives in place of a step's own: they have the types that the kind declares,
 * and artifacts of them are in the store.
 *
 * @throws ApplicationFailure InvalidInput with every problem found
 */
export async function checkOutputs(
  { store, catalog }: ActivityDependencies,
  input: CheckOutputsInput,
): Promise<void> {
  try {
    const { stepId, outputs } = input;
    const step = declarationOf(catalog, input);
    const problems = schemaProblems(z.strictObject({ ...step.outputs }), outputs);
    const artifacts = Object.entries(step.outputs).flatMap(([name, schema]) => {
      const types = schemaFacts.get(schema)?.artifact;
      const digest = outputs[name];
      return types === undefined || typeof digest !== 'string' ? [] : [{ name, types, digest }];
    });
    const found =
      problems.length > 0
        ? problems
        : await Promise.all(artifacts.map((artifact) => artifactProblem(store, artifact)));
    const all = found.filter((problem) => problem !== undefined);
    if (all.length === 0) return;
    throw new Failure('InvalidInput', `outputs for step '${stepId}': ${all.join('; ')}`);
  } catch (error) {
    throw controlFailure(error);
  }
}

interface GivenArtifact {
  readonly name: string;
  readonly types: readonly string[];
  readonly digest: string;
}

async function artifactProblem(
  store: Store,
  { name, types, digest }: GivenArtifact,
): Promise<string | undefined> {
  try {
    const { type } = await readManifest(store, digest as ArtifactDigest);
    if (!types.includes(type)) {
      return `'${name}' is a ${type}; expected a ${types.join(' or ')} artifact`;
    }
    await verifyArtifact(store, digest as ArtifactDigest);
    return undefined;
  } catch (error) {
    const isGone = error instanceof Failure && ['NotFound', 'CorruptArtifact'].includes(error.type);
    if (isGone) return `'${name}': ${error.message}`;
    throw error;
  }
}
