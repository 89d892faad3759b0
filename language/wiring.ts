import { type Catalog, kindName } from './catalog.ts';
import type { Pipeline, Step } from './pipeline.ts';
import { type ValueSchema, valueSchema } from './schema.ts';
import { ARTIFACT_TYPES, type ArtifactType, type StepSignature } from './step-declaration.ts';
import type { InputContext, InputPath } from './step-inputs.ts';

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

/** Steps looked at for one input: 5,000 inputs among 5,000 steps must stay quick. */
const MAX_LOOKED_AT = 200;

/** The steps that an input may be wired to. */
export interface Wiring extends Pick<InputContext, 'pipeline' | 'dependents'> {
  /** The one that a person means. */
  readonly named?: Step;
}

/**
 * What fills an input of these artifact types: outputs of other steps, as `steps.ID.outputs.NAME`.
 * First those whose step shares a word with the input (`train_tokens` for `train_dataset`), then
 * the nearest before this one; steps after it only when none before it has one, and of those the ones
 * that take no artifact: with another, a file that lacks two wires could be told to make a cycle. Those
 * that wait for this step are left out: the steps would wait for one another.
 */
export function wiresFor(
  input: string,
  types: readonly ArtifactType[],
  { id, idRange }: Step,
  { pipeline: { steps }, dependents, named }: Wiring,
): readonly string[] {
  const all = named === undefined ? makersOf(types, steps) : [makerOf(types, named)].flat();
  if (all.length === 0) return [];
  const waiting = dependents.of(id);
  const makers = all.filter((maker) => !waiting.has(maker.id));
  const first = makers.findIndex(({ start }) => start > idRange.start);
  const own = first < 0 ? makers.length : first;
  const before = makers.slice(Math.max(0, own - MAX_LOOKED_AT), own).toReversed();
  const after = makers.slice(own);
  const from = before.length > 0 ? before : named === undefined ? sourcesIn(after) : after;
  const words = new Set(input.split(/[_.-]/));
  return from
    .map(({ id: maker, wire }) => ({ wire, shared: sharedWords(maker, words) }))
    .sort((a, b) => b.shared - a.shared)
    .map(({ wire }) => wire);
}

function sourcesIn(makers: readonly Maker[]): readonly Maker[] {
  return makers.filter(({ isSource }) => isSource).slice(0, MAX_LOOKED_AT);
}

function sharedWords(id: string, words: ReadonlySet<string>): number {
  return id.split(/[_-]/).filter((word) => words.has(word)).length;
}

interface Maker {
  readonly id: string;
  readonly start: number;
  readonly wire: string;
  /** It takes no artifact, so nothing has to be wired to it. */
  readonly isSource: boolean;
}

const knownMakers = new WeakMap<Pipeline['steps'], Map<string, readonly Maker[]>>();

/** The steps with an output of these types, in the order of the file. */
function makersOf(types: readonly ArtifactType[], steps: Pipeline['steps']): readonly Maker[] {
  const known = knownMakers.get(steps) ?? new Map<string, readonly Maker[]>();
  knownMakers.set(steps, known);
  const key = types.join(' ');
  const makers = known.get(key) ?? [...steps.values()].flatMap((step) => makerOf(types, step));
  known.set(key, makers);
  return makers;
}

function makerOf(types: readonly ArtifactType[], step: Step): Maker | [] {
  const { id, idRange, signature, strategy } = step;
  // One with a matrix gives lists.
  const output = strategy === undefined && signature ? outputOf(signature, types) : undefined;
  if (output === undefined || signature === undefined) return [];
  const isSource = !takesArtifact(valueSchema(signature.with, 'input'));
  return { id, start: idRange.start, wire: `steps.${id}.outputs.${output}`, isSource };
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

const knownTakers = new WeakMap<ValueSchema, boolean>();

/** Whether an artifact may stand anywhere in a value. */
function takesArtifact(schema: ValueSchema): boolean {
  const known = knownTakers.get(schema);
  if (known !== undefined) return known;
  const { artifact, properties, additionalProperties, items, prefixItems, anyOf, oneOf } = schema;
  const inner = [
    ...Object.values(properties ?? {}),
    ...[additionalProperties, items].filter((each) => typeof each === 'object'),
    ...[prefixItems, anyOf, oneOf].flatMap((each) => each ?? []),
  ];
  const found = artifact !== undefined || inner.some(takesArtifact);
  knownTakers.set(schema, found);
  return found;
}
