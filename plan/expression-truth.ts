import { data, Evaluator } from '@actions/expressions';
import {
  Binary,
  ContextAccess,
  type Expr,
  type ExprVisitor,
  FunctionCall,
  Grouping,
  IndexAccess,
  Literal,
  Logical,
} from '@actions/expressions/ast';
import { TokenType } from '@actions/expressions/lexer';
import { isTruthy, toExpressionData } from './expression-data.ts';
import type { Reference } from './expression-references.ts';
import type { Expression } from './expression-syntax.ts';
import type { JsonValue } from './json.ts';

/** Values of what an expression reads, by `referenceKey`, and of its status functions, as in `success()`. */
export type KnownReads = ReadonlyMap<string, JsonValue>;

/**
 * Whether an expression can be true when only some of what it reads is known. It answers false only
 * when no value of the rest makes it true; one that cannot be evaluated may be.
 */
export function mayBeTrue({ tree }: Expression, known: KnownReads): boolean {
  try {
    return tree.accept(new PartialEvaluator(known)).isTrue !== false;
  } catch {
    return true;
  }
}

/** The parts of an expression that all have to be true: `a && (b && c)` has three. */
export function conjunctsOf(tree: Expr): readonly Expr[] {
  if (tree instanceof Grouping) return conjunctsOf(tree.group);
  const isAll = tree instanceof Logical && tree.operator.type === TokenType.AND;
  return isAll ? tree.args.flatMap(conjunctsOf) : [tree];
}

/** Names a reference in `KnownReads`; undefined when a part of its path is known at run time only. */
export function referenceKey({ context, path }: Reference): string | undefined {
  const parts: (string | number)[] = [context];
  for (const segment of path) {
    if (segment.kind !== 'name' && segment.kind !== 'index') return undefined;
    parts.push(segment.kind === 'name' ? segment.name : segment.index);
  }
  return keyOf(parts);
}

/** As the engine reads names: whatever their case. */
function keyOf(parts: readonly (string | number)[]): string {
  return JSON.stringify(parts).toLowerCase();
}

type ExpressionData = ReturnType<Evaluator['evaluate']>;

/** What is known of a value: all of it, only whether it counts as true, or nothing. */
interface Outcome {
  readonly value?: ExpressionData;
  readonly isTrue?: boolean;
}

const UNKNOWN: Outcome = {};

function valued(value: ExpressionData): Outcome {
  return { value, isTrue: isTruthy(value) };
}

function truth(isTrue: boolean): Outcome {
  return valued(new data.BooleanData(isTrue));
}

/** Functions whose value follows from plain arguments as the engine itself computes it. */
const PURE_FUNCTIONS: ReadonlySet<string> = new Set([
  'contains',
  'endswith',
  'format',
  'join',
  'startswith',
]);

class PartialEvaluator implements ExprVisitor<Outcome> {
  readonly #known: KnownReads;

  constructor(known: KnownReads) {
    this.#known = known;
  }

  visitLiteral({ literal }: Literal): Outcome {
    return valued(literal);
  }
  visitGrouping({ group }: Grouping): Outcome {
    return group.accept(this);
  }
  visitUnary({ expr }: Parameters<ExprVisitor<Outcome>['visitUnary']>[0]): Outcome {
    const { isTrue } = expr.accept(this);
    return isTrue === undefined ? UNKNOWN : truth(!isTrue);
  }
  visitBinary({ left, operator, right }: Binary): Outcome {
    const [a, b] = [left.accept(this).value, right.accept(this).value];
    if (a === undefined || b === undefined) return UNKNOWN;
    return computed(new Binary(new Literal(a, operator), operator, new Literal(b, operator)));
  }
  /** `a && b` is the first that is false, else the last; `||` the first that is true. */
  visitLogical({ args, operator }: Parameters<ExprVisitor<Outcome>['visitLogical']>[0]): Outcome {
    const deciding = operator.type === TokenType.OR;
    const outcomes = args.map((argument) => argument.accept(this));
    const first = outcomes.findIndex(({ isTrue }) => isTrue !== !deciding);
    if (first < 0) return outcomes.at(-1) ?? UNKNOWN;
    const outcome = outcomes[first] ?? UNKNOWN;
    if (outcome.isTrue === deciding) return outcome;
    return outcomes.some(({ isTrue }) => isTrue === deciding) ? { isTrue: deciding } : UNKNOWN;
  }
  visitFunctionCall({ functionName, args }: FunctionCall): Outcome {
    const name = functionName.lexeme.toLowerCase();
    const status = this.#known.get(`${name}()`);
    if (status !== undefined) return valued(toExpressionData(status));
    const values = args.map((argument) => argument.accept(this).value);
    if (!PURE_FUNCTIONS.has(name) || !values.every((value) => value !== undefined)) return UNKNOWN;
    const literals = values.map((value) => new Literal(value, functionName));
    return computed(new FunctionCall(functionName, literals));
  }
  visitContextAccess(node: ContextAccess): Outcome {
    return this.#read(node);
  }
  visitIndexAccess(node: IndexAccess): Outcome {
    return this.#read(node);
  }

  #read(node: Expr): Outcome {
    const parts = partsOf(node);
    const value = parts === undefined ? undefined : this.#known.get(keyOf(parts));
    return value === undefined ? UNKNOWN : valued(toExpressionData(value));
  }
}

function computed(node: Expr): Outcome {
  return valued(new Evaluator(node, new data.Dictionary()).evaluate());
}

function partsOf(node: Expr): readonly (string | number)[] | undefined {
  if (node instanceof ContextAccess) return [node.name.lexeme];
  if (node instanceof Grouping) return partsOf(node.group);
  if (!(node instanceof IndexAccess) || !(node.index instanceof Literal)) return undefined;
  const owner = partsOf(node.expr);
  const { literal } = node.index;
  const isPart = literal instanceof data.StringData || literal instanceof data.NumberData;
  return owner === undefined || !isPart ? undefined : [...owner, literal.value];
}
