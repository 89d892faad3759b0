import { data } from '@actions/expressions';
import { Literal, Star } from '@actions/expressions/ast';
import type { Binary, Expr, ExprVisitor, IndexAccess } from '@actions/expressions/ast';
import { type Token, TokenType } from '@actions/expressions/lexer';
import { fromExpressionData } from './expression-data.ts';
import type { JsonValue } from './json.ts';

/** One step into a value: `.name`, `['name']`, `[0]`, `.*`, or an index known at run time only. */
export type PathSegment = { readonly start: number; readonly end: number } & (
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'index'; readonly index: number }
  | { readonly kind: 'star' }
  | { readonly kind: 'dynamic' }
);

/** A read of a context: `steps.data.outputs.rows`. Offsets are into the expression's text. */
export interface Reference {
  /** In lower case. */
  readonly context: string;
  readonly path: readonly PathSegment[];
  readonly start: number;
  readonly end: number;
}

export interface FunctionUse {
  /** In lower case. */
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** `REFERENCE < LITERAL`, by any operator and in either order. */
export interface Comparison {
  readonly reference: Reference;
  readonly operator: string;
  readonly value: JsonValue;
  /** Of the literal. */
  readonly start: number;
  readonly end: number;
  readonly tree: Binary;
}

/** What an expression can give, as far as its operators and functions tell. */
export type Giving =
  | { readonly kind: 'read'; readonly reference: Reference }
  | { readonly kind: 'literal'; readonly value: JsonValue }
  | { readonly kind: 'typed'; readonly type: 'boolean' | 'string' }
  /** The first that is true (`||`) or false (`&&`), else the last. */
  | { readonly kind: 'first'; readonly isTrue: boolean; readonly of: readonly Giving[] }
  | { readonly kind: 'any-of'; readonly of: readonly Giving[] }
  | { readonly kind: 'anything' };

const ANYTHING: Giving = { kind: 'anything' };
const BOOLEAN: Giving = { kind: 'typed', type: 'boolean' };

/** Collects references and function uses; answers with what the node itself gives. */
export class ReferenceReader implements ExprVisitor<Giving> {
  readonly references: Reference[] = [];
  readonly functions: FunctionUse[] = [];
  readonly comparisons: Comparison[] = [];
  readonly #lines: readonly number[];

  constructor(lines: readonly number[]) {
    this.#lines = lines;
  }

  visitLiteral({ literal }: Parameters<ExprVisitor<Giving>['visitLiteral']>[0]): Giving {
    const value = valueOf(literal);
    return value === undefined ? ANYTHING : { kind: 'literal', value };
  }
  visitUnary(node: Parameters<ExprVisitor<Giving>['visitUnary']>[0]): Giving {
    node.expr.accept(this);
    return BOOLEAN;
  }
  visitBinary(node: Binary): Giving {
    const left = node.left.accept(this);
    const right = node.right.accept(this);
    this.#compare(node, left, node.right);
    this.#compare(node, right, node.left);
    return BOOLEAN;
  }
  visitLogical(node: Parameters<ExprVisitor<Giving>['visitLogical']>[0]): Giving {
    const of = node.args.map((argument) => argument.accept(this));
    return { kind: 'first', isTrue: node.operator.type === TokenType.OR, of };
  }
  visitGrouping(node: Parameters<ExprVisitor<Giving>['visitGrouping']>[0]): Giving {
    return node.group.accept(this);
  }
  visitFunctionCall(node: Parameters<ExprVisitor<Giving>['visitFunctionCall']>[0]): Giving {
    const name = node.functionName.lexeme.toLowerCase();
    this.functions.push({ name, ...tokenRange(node.functionName, this.#lines) });
    const given = node.args.map((argument) => argument.accept(this));
    if (name === 'format' || name === 'join' || name === 'tojson') {
      return { kind: 'typed', type: 'string' };
    }
    if (name === 'fromjson') return ANYTHING;
    // Of `case(when, then, ..., otherwise)` the values.
    const of = given.filter((_, index) => index % 2 === 1 || index === given.length - 1);
    return name === 'case' ? { kind: 'any-of', of } : BOOLEAN;
  }
  visitContextAccess(node: Parameters<ExprVisitor<Giving>['visitContextAccess']>[0]): Giving {
    const context = node.name.lexeme.toLowerCase();
    return this.#add({ context, path: [], ...tokenRange(node.name, this.#lines) });
  }
  visitIndexAccess(node: IndexAccess): Giving {
    const owner = node.expr.accept(this);
    const reference = owner.kind === 'read' ? owner.reference : undefined;
    const segment = this.#segment(node, reference?.end ?? 0);
    if (reference === undefined) return ANYTHING;
    this.references.splice(this.references.indexOf(reference), 1);
    return this.#add({ ...reference, path: [...reference.path, segment], end: segment.end });
  }

  #add(reference: Reference): Giving {
    this.references.push(reference);
    return { kind: 'read', reference };
  }

  #compare(tree: Binary, given: Giving, other: Expr): void {
    if (given.kind !== 'read' || !(other instanceof Literal)) return;
    const { reference } = given;
    const value = valueOf(other.literal);
    if (value === undefined) return;
    const place = tokenRange(other.token, this.#lines);
    this.comparisons.push({ reference, operator: tree.operator.lexeme, value, ...place, tree });
  }

  #segment({ index }: IndexAccess, end: number): PathSegment {
    if (index instanceof Star) return { kind: 'star', start: end, end };
    const known = literalOf(index);
    if (known === undefined) {
      index.accept(this);
      return { kind: 'dynamic', start: end, end };
    }
    const place = tokenRange(known.token, this.#lines);
    if (typeof known.value === 'number') return { kind: 'index', index: known.value, ...place };
    return { kind: 'name', name: known.value, ...place };
  }
}

/** Undefined for a number that is not finite. */
function valueOf(literal: Literal['literal']): JsonValue | undefined {
  const isFinite = !(literal instanceof data.NumberData) || Number.isFinite(literal.value);
  return isFinite ? fromExpressionData(literal) : undefined;
}

function literalOf(node: Expr): { token: Token; value: string | number } | undefined {
  if (!('literal' in node) || !('token' in node)) return undefined;
  const { literal, token } = node as { literal: { value?: unknown }; token: Token };
  const { value } = literal;
  return typeof value === 'string' || typeof value === 'number' ? { token, value } : undefined;
}

function tokenRange({ range }: Token, lines: readonly number[]): { start: number; end: number } {
  return { start: offsetOf(range.start, lines), end: offsetOf(range.end, lines) };
}

/** Offset into a text of a line and a column, both from 0. */
export function offsetOf(
  place: { line: number; column: number },
  lines: readonly number[],
): number {
  return (lines[place.line] ?? 0) + place.column;
}
