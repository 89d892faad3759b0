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
 * What fills an input of these artifact types: outputs of other steps, as `steps.ID.outputs.NAME`.
 * First those whose step shares a word with the input (`train_tokens` for `train_dataset`), then
 * the nearest before this one; steps after it only when none before it has one.
 */
export function wiresFor(
  input: string,
  types: readonly ArtifactType[],
  step: Step,
  { steps }: Pipeline,
): readonly string[] {
  const others = [...steps.values()].filter(({ id }) => id !== step.id);
  const before = others.filter(({ idRange }) => idRange.start < step.idRange.start).toReversed();
  const after = others.filter(({ idRange }) => idRange.start > step.idRange.start);
  const words = new Set(input.split(/[_.-]/));
  const shared = ({ id }: Step): number =>
    id.split(/[_-]/).filter((word) => words.has(word)).length;
  const wires = (from: readonly Step[]): readonly string[] =>
    from
      .toSorted((a, b) => shared(b) - shared(a))
      .flatMap(({ id, signature }) => {
        const output = signature && outputOf(signature, types);
        return output === undefined ? [] : [`steps.${id}.outputs.${output}`];
      });
  const found = wires(before);
  return found.length > 0 ? found : wires(after);
}

const MAX_WIRES = 5;

/** `; write "${{ steps.base.outputs.model }}"`, or one of several. */
export function wireRemedy(wires: readonly string[]): string {
  if (wires.length === 0) return '';
  const shown = wires.slice(0, MAX_WIRES).map((wire) => `"\${{ ${wire} }}"`);
  return `; write ${shown.join(' or ')}${wires.length > MAX_WIRES ? ' or another' : ''}`;
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
