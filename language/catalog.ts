import type { StepSignature } from './step-declaration.ts';

/** Every step kind that a pipeline may use. */
export type Catalog = readonly StepSignature[];

/** Kinds of the contract that no build has yet. */
const KINDS_NOT_BUILT: ReadonlySet<string> = new Set(['validate', 'split', 'export', 'predict']);

/** Whether a kind of the contract that is not built yet has the name. */
export function isReserved(kind: string): boolean {
  return KINDS_NOT_BUILT.has(kind);
}

export type KindLookup =
  | { readonly kind: 'found'; readonly signature: StepSignature }
  | { readonly kind: 'unknown-version'; readonly versions: readonly number[] }
  | { readonly kind: 'not-built' }
  | { readonly kind: 'unknown' };

/** The signature of `kind@version`, or what is wrong with the name. */
export function findKind(catalog: Catalog, kind: string, version: number): KindLookup {
  const versions = catalog.filter((signature) => signature.kind === kind);
  const signature = versions.find((candidate) => candidate.version === version);
  if (signature !== undefined) return { kind: 'found', signature };
  if (versions.length > 0) {
    const known = versions.map((candidate) => candidate.version).sort((a, b) => a - b);
    return { kind: 'unknown-version', versions: known };
  }
  return { kind: isReserved(kind) ? 'not-built' : 'unknown' };
}

/** `train@1`. */
export function kindName({ kind, version }: { kind: string; version: number }): string {
  return `${kind}@${version}`;
}
