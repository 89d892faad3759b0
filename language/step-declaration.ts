import { z } from 'zod';
import type { Question } from '../plan/interventions.ts';
import type { JsonValue } from '../plan/json.ts';
import type { ArtifactDigest, StepEffect, StepRole } from '../plan/plan.ts';

export const ARTIFACT_TYPES = [
  'dataset',
  'tokenized-dataset',
  'model',
  'history',
  'report',
  'predictions',
] as const;
export type ArtifactType = (typeof ARTIFACT_TYPES)[number];

/** Facts that a schema carries beside its shape; the checks along `${{ }}` read them. */
export interface SchemaFacts {
  /** The value is the digest of an artifact of one of these types. */
  readonly artifact?: readonly ArtifactType[];
  /** Part of the contract, but its behaviour is not built yet: using it is a diagnostic. */
  readonly notBuilt?: string;
  /** Only a secret can give the value, and results do not depend on it: it is in no fingerprint. */
  readonly credential?: boolean;
  /** Accepted, and worth a hint that continues the key's name: `is an older name; write ...`. */
  readonly hint?: string;
  /** An output whose value is one of the list that this input holds, and has its type. */
  readonly itemOf?: string;
  /** An input that names a place inside the items of the list that this input holds: `metrics.loss`. */
  readonly pathIn?: string;
  /** The key of the same map that says it now, of an older name. */
  readonly replacedBy?: string;
  /** Text that a person would write, for the snippets of diagnostics. */
  readonly example?: string;
}

export const schemaFacts = z.registry<SchemaFacts>();

/** The digest of an artifact of (one of) the given types, as an input or an output of a step. */
export function artifact(...types: readonly ArtifactType[]): z.ZodType<ArtifactDigest> {
  const error = `expected the digest of a ${types.join(' or ')} artifact, sha256:<64 hex digits>`;
  const schema = z.string({ error }).regex(/^sha256:[0-9a-f]{64}$/, { error });
  schemaFacts.add(schema, { artifact: types });
  // The pattern is that of the type.
  return schema as unknown as z.ZodType<ArtifactDigest>;
}

/**
 * An input for who is asked to let the step in: only `${{ secrets.NAME }}`, also inside longer text,
 * can give it. A step's result is taken not to depend on it.
 *
 * @param example name of a secret, for messages
 */
export function credential(example: string): z.ZodString {
  const schema = z.string().min(1);
  schemaFacts.add(schema, { credential: true, example: `\${{ secrets.${example} }}` });
  return schema;
}

/** A key of the contract whose behaviour is not built yet: refused, never accepted and ignored. */
export function notBuilt(): z.ZodOptional<z.ZodNever> {
  const schema = z.never().optional();
  schemaFacts.add(schema, { notBuilt: 'is not built yet' });
  return schema;
}

export type OutputShape = Readonly<Record<string, z.ZodType>>;
export type OutputsOf<O extends OutputShape> = { readonly [K in keyof O]: z.output<O[K]> };

/**
 * One kind of step: the only declaration from which the checks, the JSON Schema, the reference
 * page, the compile-time types and the Temporal activity follow.
 */
export interface StepDeclaration<
  W extends z.ZodObject = z.ZodObject,
  O extends OutputShape = OutputShape,
  Context = never,
  Asking = never,
> {
  /** `train`, of `uses: train@1`. */
  readonly kind: string;
  readonly version: number;
  /** Raised when the results of the kind change for equal inputs. */
  readonly revision: number;
  /** Digest of the code, of a kind of a user's own; Retune's have none, their revision stands for it. */
  readonly source?: string;
  readonly effect: StepEffect;
  readonly role: StepRole;
  /** One sentence for the reference page. */
  readonly summary: string;
  readonly with: W;
  readonly outputs: O;
  /** Effect `source`: asks upstream for the revision that `inputs` name now. Part of the fingerprint. */
  resolve?(context: Context, inputs: z.output<W>): Promise<JsonValue>;
  /** What a person has to decide before the step runs; its answer is in the context of `run`. */
  asks?(context: Asking, inputs: z.output<W>): Promise<Question | undefined>;
  /** Heavy and native modules are imported inside. */
  run(context: Context, inputs: z.output<W>): Promise<OutputsOf<O>>;
}

/** What the language needs of a kind: everything but its behaviour. */
export type StepSignature = Omit<StepDeclaration, 'run' | 'resolve' | 'asks'>;

/**
 * Declares a step kind; its module exports what this returns.
 *
 * @throws Error when `with` would let a misspelt input pass
 */
export function defineStep<W extends z.ZodObject, O extends OutputShape, Context, Asking = never>(
  declaration: StepDeclaration<W, O, Context, Asking>,
): StepDeclaration<W, O, Context, Asking> {
  if (declaration.with.def.catchall?._zod.def.type !== 'never') {
    const { kind, version } = declaration;
    throw new Error(
      `kind '${kind}@${version}': 'with' ignores unknown inputs; declare it by z.strictObject`,
    );
  }
  return declaration;
}
