import type { InputPath } from './step-inputs.ts';
import { type Catalog, kindName } from './catalog.ts';
import type { Pipeline, Step } from './pipeline.ts';
import { type ValueSchema, valueSchema } from './schema.ts';
import { ARTIFACT_TYPES, type ArtifactType, type StepSignature } from './step-declaration.ts';

/** `args.learning_rate`, `metrics[0]`: an input as messages name it. */
export function inputName(path: InputPath): string {
  return path
    .map((part, index) =>
      typeof part === 'number' ? `[${part}]` : index === 0 ? part : `.${part}`,
    )
    .join('');
}

export function isArtifactType(kind: string): kind is ArtifactType {
  return ARTIFACT_TYPES.some((type) => type === kind);
}

/**
 * The expression that fills an input of these artifact types: an output of the nearest step before
 * `step` that has one, else of any other step.
 */
export function wireFor(
  types: readonly ArtifactType[],
  step: Step,
  { steps }: Pipeline,
): string | undefined {
  const others = [...steps.values()].filter(({ id }) => id !== step.id);
  const before = others.filter(({ idRange }) => idRange.start < step.idRange.start).toReversed();
  const after = others.filter(({ idRange }) => idRange.start > step.idRange.start);
  for (const other of [...before, ...after]) {
    const name = other.signature && outputOf(other.signature, types);
    if (name !== undefined) return `\${{ steps.${other.id}.outputs.${name} }}`;
  }
  return undefined;
}

/** Kinds that make one of `wanted`, from `found` when that is given: `tokenize@1`. */
export function kindsThatMake(
  wanted: readonly ArtifactType[],
  found: readonly ArtifactType[] | undefined,
  catalog: Catalog,
): readonly string[] {
  return catalog
    .filter((signature) => outputOf(signature, wanted) !== undefined)
    .filter((signature) => found === undefined || takes(signature, found))
    .map(kindName);
}

function outputOf({ outputs }: StepSignature, wanted: readonly ArtifactType[]): string | undefined {
  const found = Object.entries(outputs).find(([, schema]) =>
    isOneOf(valueSchema(schema, 'output'), wanted),
  );
  return found?.[0];
}

function takes(signature: StepSignature, found: readonly ArtifactType[]): boolean {
  const { properties = {} } = valueSchema(signature.with, 'input');
  return Object.values(properties).some((input) => isOneOf(input, found));
}

function isOneOf({ artifact }: ValueSchema, types: readonly ArtifactType[]): boolean {
  return artifact?.some((type) => types.includes(type)) ?? false;
}
