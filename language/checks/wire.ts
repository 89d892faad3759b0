import type { Catalog } from '../catalog.ts';
import { quote } from '../located.ts';
import type { Step } from '../pipeline.ts';
import {
  accepts,
  describeSchemas,
  kindsOf,
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
  const wanted = kindsOfAll(expected);
  const all = hole.isEach ? hole.schemas.flatMap((schema) => schema.anyOf ?? [schema]) : [];
  const name = quote(inputName(hole.path));
  for (const schemas of hole.isEach ? all.map((schema) => [schema]) : [hole.schemas]) {
    const found = kindsOfAll(schemas);
    const values = schemas.flatMap(({ const: value }) => value ?? []);
    const isValue = values.length === 1 && schemas.length === 1;
    const isFit = isValue
      ? values.every((value) => expected.some((schema) => accepts(schema, value)))
      : fits(found, wanted);
    if (isFit) continue;
    const message = `${name} gets ${quote(hole.text)}, ${describeSchemas(schemas)}; expected ${describeSchemas(expected)}`;
    const remedy = remedyFor(hole, found, wanted, step, context, catalog);
    context.reporter.error('wire', hole.range, `${message}${remedy}`);
  }
}

function fits(found: ReadonlySet<ValueKind>, wanted: ReadonlySet<ValueKind>): boolean {
  if (found.has('anything') || wanted.has('anything')) return true;
  return [...found].some((kind) => wanted.has(kind));
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
