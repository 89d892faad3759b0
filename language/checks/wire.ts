import type { Catalog } from '../catalog.ts';
import { quote } from '../located.ts';
import type { Step } from '../pipeline.ts';
import {
  describeSchemas,
  kindsOf,
  mayFit,
  schemasAt,
  type ValueKind,
  type ValueSchema,
} from '../schema.ts';
import type { ArtifactType } from '../step-declaration.ts';
import type { Hole, InputContext } from '../step-inputs.ts';
import {
  inputName,
  isArtifactType,
  kindsThatMake,
  wireRemedy,
  type Wiring,
  wiresFor,
} from '../wiring.ts';

/** Rule `wire`: what an expression gives, by its declared type, is what the input takes. */
export function checkWire(
  hole: Hole,
  step: Step,
  input: ValueSchema,
  context: InputContext,
  catalog: Catalog,
): void {
  const expected = schemasAt(input, hole.path);
  if (expected.length === 0) return; // no such input: another rule says so
  const all = hole.isEach ? hole.schemas.flatMap((schema) => schema.anyOf ?? [schema]) : [];
  const alternatives = hole.isEach ? all.map((schema) => [schema]) : [hole.schemas];
  const unfit = alternatives.filter((schemas) => !fits(schemas, expected));
  // Beside a branch that fits, an artifact of another type is a mistake all the same.
  const reads = (hole.reads ?? []).filter(
    ({ schemas }) => schemas.every(isArtifact) && !fits(schemas, expected),
  );
  const found = unfit.length > 0 ? unfit.map((schemas) => ({ ...hole, schemas })) : reads;
  for (const { text, range, schemas } of found) {
    const message = `${quote(inputName(hole.path))} gets ${quote(text)}, ${describeSchemas(schemas)}; expected ${describeSchemas(expected)}`;
    const remedy = remedyFor(
      hole,
      kindsOfAll(schemas),
      kindsOfAll(expected),
      step,
      context,
      catalog,
    );
    context.reporter.error('wire', range, `${message}${remedy}`);
  }
}

function fits(schemas: readonly ValueSchema[], expected: readonly ValueSchema[]): boolean {
  return schemas.some((schema) => expected.some((wanted) => mayFit(schema, wanted)));
}

function isArtifact(schema: ValueSchema): boolean {
  return [...kindsOf(schema)].every(isArtifactType);
}

function kindsOfAll(schemas: readonly ValueSchema[]): ReadonlySet<ValueKind> {
  return new Set(schemas.flatMap((schema) => [...kindsOf(schema)]));
}

function remedyFor(
  { path }: Hole,
  found: ReadonlySet<ValueKind>,
  wanted: ReadonlySet<ValueKind>,
  step: Step,
  wiring: Wiring,
  catalog: Catalog,
): string {
  const wantedTypes = artifactTypes(wanted);
  if (wantedTypes.length === 0) return '';
  const foundTypes = artifactTypes(found);
  const wires = wiresFor(inputName(path), wantedTypes, step, wiring);
  if (wires.length > 0) return wireRemedy(wires);
  const converters = kindsThatMake(wantedTypes, foundTypes, catalog);
  const kinds = converters.length > 0 ? converters : kindsThatMake(wantedTypes, undefined, catalog);
  return kinds.length === 0 ? '' : `; add a ${kinds.join(' or ')} step and wire its output here`;
}

function artifactTypes(kinds: ReadonlySet<ValueKind>): readonly ArtifactType[] {
  return [...kinds].filter(isArtifactType);
}
