/**
 * What a file with step kinds of one's own imports:
 *
 * ```ts
 * import { artifact, defineStep, z } from 'retune/steps';
 * ```
 *
 * The name leads to this file wherever the importing one lies, so both have one zod.
 */
export { z } from 'zod';
export { artifact, type ArtifactType } from '../../language/step-declaration.ts';
export { Failure, type FailureType } from '../../plan/failures.ts';
export type { JsonObject, JsonValue } from '../../plan/json.ts';
export type { ArtifactDigest } from '../../plan/plan.ts';
export type { DatasetInfo, DatasetRow, DatasetShape, RowLabel } from '../../data/dataset.ts';
export type { Artifact, Dataset, NewArtifact, Rows, StepContext } from './custom-context.ts';
export { defineStep, type CustomStep } from './custom-step.ts';
