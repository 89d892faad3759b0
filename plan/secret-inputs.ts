import {
  evaluateAsText,
  evaluateTemplate,
  parseExpression,
  templateSegments,
} from './expressions.ts';
import type { Expression, TemplateSegment } from './expressions.ts';
import type { JsonObject, JsonValue } from './json.ts';
import type { Template } from './plan.ts';
import { TextBudget } from './text-budget.ts';

/** The environment variable of a worker that holds the secret NAME has this before the name. */
export const SECRET_VARIABLE = 'RETUNE_SECRET_';

/** As of an environment variable: so a name is never a path. */
export const SECRET_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,99}$/;

export type SecretPart = string | { readonly secret: string };

/** A text in a step's inputs that holds secrets: the worker that runs the step puts it together. */
export type SecretInput = {
  /** Of the text in the inputs, where a stand-in without any secret is meanwhile. */
  readonly path: readonly (string | number)[];
  readonly parts: readonly SecretPart[];
};

export interface EvaluatedInputs {
  readonly inputs: JsonObject;
  readonly secrets: readonly SecretInput[];
}

/**
 * A step's `with` with all its expressions replaced by their values but `${{ secrets.NAME }}`.
 * Where a secret belongs is told by `secrets` alone: text of whatever origin that looks like a
 * stand-in stays text.
 *
 * @throws ExpressionError naming the expression, when it cannot be evaluated, or computes with a secret
 */
export function evaluateInputs(
  template: { readonly [key: string]: Template },
  contexts: JsonObject,
): EvaluatedInputs {
  const secrets: SecretInput[] = [];
  const budget = new TextBudget();
  const evaluate = (value: Template, path: SecretInput['path']): JsonValue => {
    if (typeof value === 'string') {
      const parts = secretParts(value, contexts, budget);
      if (parts === undefined) return evaluateTemplate(value, contexts, budget);
      secrets.push({ path, parts });
      return standIn(parts);
    }
    if (value === null || typeof value !== 'object') return value;
    if (Array.isArray(value)) return value.map((item, index) => evaluate(item, [...path, index]));
    return evaluateMap(value as JsonObject, path);
  };
  const evaluateMap = (map: JsonObject, path: SecretInput['path']): JsonObject =>
    Object.fromEntries(
      Object.entries(map).map(([key, value]) => [key, evaluate(value, [...path, key])]),
    );
  return { inputs: evaluateMap(template, []), secrets };
}

/** The name of the secret that an expression is, when it is one and nothing else. */
function secretName({ plain }: Expression): string | undefined {
  const [name] = plain?.path ?? [];
  const isSecret = plain?.context === 'secrets' && plain.path.length === 1;
  return isSecret && name?.kind === 'name' ? name.name : undefined;
}

/** Names of the secrets that inputs hold, each once. */
export function secretNames(secrets: readonly SecretInput[]): readonly string[] {
  const parts = secrets.flatMap((input) => input.parts);
  return [...new Set(parts.flatMap((part) => (typeof part === 'string' ? [] : part.secret)))];
}

/** The parts of a text with secrets in it; undefined for one without. */
function secretParts(
  text: string,
  contexts: JsonObject,
  budget: TextBudget,
): readonly SecretPart[] | undefined {
  if (!text.includes('${{') || !/secrets/i.test(text)) return undefined;
  const parts: SecretPart[] = [];
  // Text and other expressions since the last secret.
  let rest = '';
  const flush = (): void => {
    if (rest !== '') parts.push(evaluateAsText(rest, contexts, budget));
    rest = '';
  };
  for (const segment of templateSegments(text)) {
    const secret = segment.kind === 'expression' ? nameIn(segment) : undefined;
    if (secret === undefined) {
      rest += asWritten(segment);
    } else {
      flush();
      parts.push({ secret });
    }
  }
  if (parts.length === 0) return undefined;
  flush();
  return parts;
}

function nameIn({ text, isClosed }: TemplateSegment & { kind: 'expression' }): string | undefined {
  return isClosed ? secretName(parseExpression(text)) : undefined;
}

function asWritten(segment: TemplateSegment): string {
  if (segment.kind === 'text') return segment.text;
  return `\${{${segment.text}${segment.isClosed ? '}}' : ''}`;
}

/** As a person would write it. */
function standIn(parts: readonly SecretPart[]): string {
  return parts
    .map((part) => (typeof part === 'string' ? part : `\${{ secrets.${part.secret} }}`))
    .join('');
}
