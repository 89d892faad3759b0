import { z } from 'zod';
import { catalog } from '../activities/catalog.ts';
import { kindName } from '../language/catalog.ts';
import { describeSchema, valueSchema } from '../language/schema.ts';
import { code, renderDefault, table, unwrapped } from './tables.ts';

type Kind = (typeof catalog)[number];
type Shape = Readonly<Record<string, z.ZodType>>;

const EFFECTS = {
  pure: 'a function of its inputs, cached for ever',
  source:
    'asks its sources for their revisions in every run, and is a hit while they stay the same',
  external: 'changes something outside: runs in every run, and does nothing twice',
} as const satisfies Record<Kind['effect'], string>;

const ROLES = {
  work: 'any worker of the role `work`',
  train: 'workers of the role `train` with the label in `runs_on`',
} as const satisfies Record<Kind['role'], string>;

/** The step kinds of this build as Markdown: an overview, then a section a kind. */
export function renderKinds(): string {
  const overview = table(
    ['kind', 'what it does'],
    catalog.map((kind) => [`[\`${kindName(kind)}\`](#${anchor(kind)})`, kind.summary]),
  );
  return [overview, ...catalog.map(renderKind)].join('\n\n');
}

/** As GitHub makes one of a heading. */
function anchor({ kind, version }: Kind): string {
  return `${kind}${version}`;
}

function renderKind(kind: Kind): string {
  const { summary, effect, role, outputs } = kind;
  const shape: Shape = kind.with.shape;
  return [
    `### ${kindName(kind)}`,
    summary,
    `- effect \`${effect}\`: ${EFFECTS[effect]}\n- runs on ${ROLES[role]}`,
    inputsTable('input', shape),
    notBuiltLine(shape),
    ...nestedTables(shape),
    table(
      ['output', 'type', 'meaning'],
      Object.entries(outputs).map(([name, schema]) => [
        code(name),
        typeOf(schema, 'output'),
        schema.description ?? '',
      ]),
    ),
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

function inputsTable(what: string, shape: Shape): string {
  const built = Object.entries(shape).filter(
    ([, schema]) => !isNotBuilt(schema) && !isAside(schema),
  );
  return table(
    [what, 'type', 'default', 'meaning'],
    built.map(([name, schema]) => [
      code(name),
      typeOf(schema, 'input'),
      renderDefault(schema),
      schema.description ?? '',
    ]),
  );
}

function notBuiltLine(shape: Shape): string {
  const names = Object.entries(shape).filter(([, schema]) => isNotBuilt(schema));
  if (names.length === 0) return '';
  return `Not built yet, and refused: ${names.map(([name]) => code(name)).join(', ')}.`;
}

/** A table for each input that is a map of known keys, such as `args`. */
function nestedTables(shape: Shape): readonly string[] {
  return Object.entries(shape).flatMap(([name, schema]) => {
    const inner = unwrapped(schema);
    return inner instanceof z.ZodObject
      ? [
          `Keys of \`${name}\`:`,
          inputsTable('key', inner.shape),
          notBuiltLine(inner.shape),
          asideLine(inner.shape),
        ]
      : [];
  });
}

/** Refused with a reason of its own, or an older name: kept off the page, which has a link. */
function isAside(schema: z.ZodType): boolean {
  const { not, hint, notBuilt } = valueSchema(schema, 'input');
  return notBuilt === undefined && (not !== undefined || hint !== undefined);
}

function asideLine(shape: Shape): string {
  return Object.values(shape).some(isAside)
    ? 'Older names, which are accepted, and names that mean nothing here, which are refused with the reason, are on the page on [training arguments](training-arguments.md).'
    : '';
}

function isNotBuilt(schema: z.ZodType): boolean {
  return valueSchema(schema, 'input').notBuilt !== undefined;
}

/** What a value can be; a word of the contract that this build refuses is named as such. */
function typeOf(schema: z.ZodType, io: 'input' | 'output'): string {
  const described = valueSchema(schema, io);
  const { artifact: artifacts, enum: words, const: only, additionalProperties } = described;
  if (artifacts !== undefined)
    return artifacts.map((type) => `${code(type)} artifact`).join(' or ');
  if (only !== undefined) return code(only);
  if (words === undefined) {
    const isMapOf = typeof additionalProperties === 'object' && io === 'output';
    const each = isMapOf ? `, each ${describeSchema(additionalProperties)}` : '';
    return `${describeSchema(described)}${each}`
      .replaceAll(' that is not empty', '')
      .replace(/ that matches (\S+)/, ' that matches `$1`');
  }
  const refused = words.filter((word) => !schema.safeParse(word).success);
  const accepted = words.filter((word) => !refused.includes(word)).map(code);
  return [accepted.join(', '), ...refused.map((word) => `${code(word)} is not built yet`)].join(
    '; ',
  );
}
