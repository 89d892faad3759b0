import { Star } from '@actions/expressions/ast';
import type { Expr, ExprVisitor, IndexAccess } from '@actions/expressions/ast';
import type { Token } from '@actions/expressions/lexer';

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

/** `REFERENCE == 'text'`, or `!=`, in either order. */
export interface Comparison {
  readonly reference: Reference;
  readonly text: string;
  /** Of the text. */
  readonly start: number;
  readonly end: number;
}

interface Reading {
  readonly reference?: Reference;
  readonly type?: 'boolean' | 'string';
}

/** Collects references and function uses; answers with what the node itself is. */
export class ReferenceReader implements ExprVisitor<Reading> {
  readonly references: Reference[] = [];
  readonly functions: FunctionUse[] = [];
  readonly comparisons: Comparison[] = [];
  readonly #lines: readonly number[];

  constructor(lines: readonly number[]) {
    this.#lines = lines;
  }

  visitLiteral(): Reading {
    return {};
  }
  visitUnary(node: Parameters<ExprVisitor<Reading>['visitUnary']>[0]): Reading {
    node.expr.accept(this);
    return { type: 'boolean' };
  }
  visitBinary(node: Parameters<ExprVisitor<Reading>['visitBinary']>[0]): Reading {
    const left = node.left.accept(this);
    const right = node.right.accept(this);
    if (node.operator.lexeme === '==' || node.operator.lexeme === '!=') {
      this.#compare(left, node.right);
      this.#compare(right, node.left);
    }
    return { type: 'boolean' };
  }
  visitLogical(node: Parameters<ExprVisitor<Reading>['visitLogical']>[0]): Reading {
    for (const argument of node.args) argument.accept(this);
    return {};
  }
  visitGrouping(node: Parameters<ExprVisitor<Reading>['visitGrouping']>[0]): Reading {
    return node.group.accept(this);
  }
  visitFunctionCall(node: Parameters<ExprVisitor<Reading>['visitFunctionCall']>[0]): Reading {
    const name = node.functionName.lexeme.toLowerCase();
    this.functions.push({ name, ...tokenRange(node.functionName, this.#lines) });
    for (const argument of node.args) argument.accept(this);
    if (name === 'format' || name === 'join' || name === 'tojson') return { type: 'string' };
    return name === 'fromjson' || name === 'case' ? {} : { type: 'boolean' };
  }
  visitContextAccess(node: Parameters<ExprVisitor<Reading>['visitContextAccess']>[0]): Reading {
    const context = node.name.lexeme.toLowerCase();
    return this.#add({ context, path: [], ...tokenRange(node.name, this.#lines) });
  }
  visitIndexAccess(node: IndexAccess): Reading {
    const { reference } = node.expr.accept(this);
    const segment = this.#segment(node, reference?.end ?? 0);
    if (reference === undefined) return {};
    this.references.splice(this.references.indexOf(reference), 1);
    return this.#add({ ...reference, path: [...reference.path, segment], end: segment.end });
  }

  #add(reference: Reference): Reading {
    this.references.push(reference);
    return { reference };
  }

  #compare({ reference }: Reading, other: Expr): void {
    const literal = literalOf(other);
    if (reference === undefined || typeof literal?.value !== 'string') return;
    const place = tokenRange(literal.token, this.#lines);
    this.comparisons.push({ reference, text: literal.value, ...place });
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
