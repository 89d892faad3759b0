import { isTruthy, toExpressionData } from '../plan/expression-data.ts';
import type { Giving, Reference } from '../plan/expression-references.ts';
import type { JsonValue } from '../plan/json.ts';
import { ANYTHING, referenceType } from './context-schema.ts';
import { isAnything, kindsOf, type ValueSchema } from './schema.ts';

/** One of the values that an expression gives, in one run or another. */
export interface Branch {
  readonly schemas: readonly ValueSchema[];
  /** What it reads, if it is that and nothing else. */
  readonly reference?: Reference;
}

const NULL: ValueSchema = { type: 'null' };

/** Whatever an expression can give: a value of another type is never among it. */
export function branchesOf(gives: Giving, contexts: ValueSchema): readonly Branch[] {
  switch (gives.kind) {
    case 'read': {
      const { reference } = gives;
      const read = referenceType(contexts, reference);
      return [{ schemas: read.ok ? read.schemas : ANYTHING, reference }];
    }
    case 'literal':
      return [{ schemas: [{ const: gives.value }] }];
    case 'typed':
      return [{ schemas: [{ type: gives.type }] }];
    case 'first':
      return firstOf(gives, contexts);
    case 'any-of':
      return gives.of.flatMap((each) => branchesOf(each, contexts));
    case 'anything':
      return [{ schemas: ANYTHING }];
  }
}

/** Of `a || b` what is true of `a`, or `b`; of `a && b` what is false of `a`, or `b`. */
function firstOf(
  { isTrue, of }: Giving & { kind: 'first' },
  contexts: ValueSchema,
): readonly Branch[] {
  const found: Branch[] = [];
  for (const [index, each] of of.entries()) {
    const branches = branchesOf(each, contexts);
    if (index === of.length - 1) return [...found, ...branches];
    found.push(...branches.flatMap((branch) => partOf(branch, isTrue)));
    const isNeverPassed = branches.every((branch) => partOf(branch, !isTrue).length === 0);
    if (isNeverPassed) break;
  }
  return found;
}

/** What of a branch counts as true, or as false. */
function partOf({ schemas, ...branch }: Branch, isTrue: boolean): readonly Branch[] {
  const part = schemas.flatMap((schema) => truePart(schema, isTrue));
  // An output of a step that has none reads null, and so does what a list or a map has not.
  if (!isTrue && branch.reference !== undefined) part.push(NULL);
  return part.length === 0 ? [] : [{ ...branch, schemas: part }];
}

function truePart(schema: ValueSchema, isTrue: boolean): readonly ValueSchema[] {
  const { anyOf, oneOf, artifact, const: only, enum: values, type } = schema;
  const branches = anyOf ?? oneOf;
  if (branches !== undefined) return branches.flatMap((branch) => truePart(branch, isTrue));
  if (isAnything(schema)) return [schema];
  if (artifact !== undefined) return isTrue ? [schema] : [];
  const all = values ?? (only === undefined ? undefined : [only]);
  if (all !== undefined) {
    const some = all.filter((value) => isTruthy(toExpressionData(value)) === isTrue);
    return some.length === 0 ? [] : [{ enum: some }];
  }
  return [type ?? []].flat().flatMap((each) => partOfType({ ...schema, type: each }, isTrue));
}

/** The one value of a type that counts as false; the others count as true. */
const FALSE_VALUES: Readonly<Record<string, JsonValue>> = {
  string: '',
  number: 0,
  integer: 0,
  boolean: false,
  null: null,
};

function partOfType(
  schema: ValueSchema & { readonly type: string },
  isTrue: boolean,
): readonly ValueSchema[] {
  const { type } = schema;
  if (type === 'boolean') return [{ const: isTrue }];
  if (isTrue) return type === 'null' ? [] : [schema];
  const value = FALSE_VALUES[type];
  return value === undefined ? [] : value === null ? [NULL] : [{ const: value }];
}

/** The branches as one type; anything when one of them is that. */
export function typeOfBranches(branches: readonly Branch[]): readonly ValueSchema[] {
  const schemas = branches.flatMap((branch) => branch.schemas);
  const isOpen = schemas.some((schema) => kindsOf(schema).has('anything'));
  return branches.length > 1 && isOpen ? ANYTHING : schemas;
}
