import { ExpressionError as EngineError, Lexer, Parser } from '@actions/expressions';
import type { Expr } from '@actions/expressions/ast';
import { type Token, TokenType } from '@actions/expressions/lexer';
import {
  type Comparison,
  type FunctionUse,
  type Giving,
  offsetOf,
  type Reference,
  ReferenceReader,
} from './expression-references.ts';

/** What `${{ }}` may read. */
export const CONTEXTS = ['params', 'steps', 'matrix', 'env', 'run', 'secrets'] as const;
/** GitHub's functions, by the names that documents use. */
export const FUNCTIONS = [
  'case',
  'contains',
  'endsWith',
  'format',
  'fromJSON',
  'join',
  'startsWith',
  'toJSON',
] as const;
/** Functions of an `if` alone. */
export const STATUS_FUNCTIONS = ['success', 'failure', 'always', 'cancelled'] as const;

const MAX_LENGTH = 4096;
const KNOWN_FUNCTIONS: ReadonlySet<string> = new Set(
  [...FUNCTIONS, ...STATUS_FUNCTIONS].map((name) => name.toLowerCase()),
);

export interface Expression {
  readonly text: string;
  readonly tree: Expr;
  readonly references: readonly Reference[];
  readonly functions: readonly FunctionUse[];
  readonly comparisons: readonly Comparison[];
  /** Set when the expression is this reference and nothing else. */
  readonly plain?: Reference;
  readonly gives: Giving;
}

export type ExpressionProblem = 'syntax' | 'unknown-context' | 'unknown-function' | 'evaluation';

/** An expression that cannot be read or evaluated; offsets are into its text. */
export class ExpressionError extends Error {
  override readonly name = 'ExpressionError';
  readonly problem: ExpressionProblem;
  /** The name or symbol that is wrong. */
  readonly found: string;
  readonly start: number;
  readonly end: number;

  constructor(
    problem: ExpressionProblem,
    message: string,
    place: { readonly found: string; readonly start: number; readonly end: number },
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.problem = problem;
    this.found = place.found;
    this.start = place.start;
    this.end = place.end;
  }
}

/**
 * Reads the text of one expression, without its `${{ }}`.
 *
 * @throws ExpressionError with the place in `text`
 */
export function parseExpression(text: string): Expression {
  const whole = wholeOf(text);
  if (text.trim() === '') {
    throw new ExpressionError('syntax', 'the expression is empty; write a value inside', whole);
  }
  if (text.length > MAX_LENGTH) {
    const message = `the expression has ${text.length} characters; expected at most ${MAX_LENGTH}`;
    throw new ExpressionError('syntax', message, whole);
  }
  const lines = lineStarts(text);
  const tree = parseTree(text, lines);
  const reader = new ReferenceReader(lines);
  const gives = tree.accept(reader);
  const { references, functions, comparisons } = reader;
  const unknown = functions.find(({ name }) => !KNOWN_FUNCTIONS.has(name));
  if (unknown !== undefined) throw unknownFunction(text.slice(unknown.start, unknown.end), unknown);
  return {
    text,
    tree,
    references,
    functions,
    comparisons,
    gives,
    ...(gives.kind === 'read' && { plain: gives.reference }),
  };
}

export type TemplateSegment =
  | { readonly kind: 'text'; readonly text: string }
  /** `start` is the offset of the inner text; `isClosed` is false when `}}` is missing. */
  | {
      readonly kind: 'expression';
      readonly text: string;
      readonly start: number;
      readonly isClosed: boolean;
    };

/** Cuts text into what stands as it is and what stands in `${{ }}`; `}}` in a quoted string does not end one. */
export function templateSegments(text: string): readonly TemplateSegment[] {
  const segments: TemplateSegment[] = [];
  let position = 0;
  for (;;) {
    const open = text.indexOf('${{', position);
    if (open < 0) break;
    if (open > position) segments.push({ kind: 'text', text: text.slice(position, open) });
    const start = open + 3;
    const close = closingBraces(text, start);
    const isClosed = close >= 0;
    const end = isClosed ? close : text.length;
    segments.push({ kind: 'expression', text: text.slice(start, end), start, isClosed });
    position = isClosed ? close + 2 : text.length;
  }
  if (position < text.length) segments.push({ kind: 'text', text: text.slice(position) });
  return segments;
}

/** Where the `}}` of an expression is whose text begins at `from`; below 0 when there is none. */
export function closingBraces(text: string, from: number): number {
  let isQuoted = false;
  for (let at = from; at < text.length; at += 1) {
    if (text[at] === "'") isQuoted = !isQuoted;
    else if (!isQuoted && text[at] === '}' && text[at + 1] === '}') return at;
  }
  return -1;
}

function parseTree(text: string, lines: readonly number[]): Expr {
  try {
    const { tokens } = new Lexer(text).lex();
    for (const token of tokens) {
      // The lexer undoes only the first '' of a string.
      if (token.type === TokenType.STRING) {
        token.value = token.lexeme.slice(1, -1).replaceAll("''", "'");
      }
    }
    const statuses = STATUS_FUNCTIONS.map((name) => ({ name, minArgs: 0, maxArgs: 0 }));
    return new Parser(tokens, [...CONTEXTS], statuses).parse();
  } catch (error) {
    throw syntaxError(text, lines, error);
  }
}

function syntaxError(text: string, lines: readonly number[], error: unknown): ExpressionError {
  if (!(error instanceof Error)) throw error;
  if (error instanceof EngineError) {
    const start = offsetOf(error.pos, lines);
    const found = /: '([^]*)'$/.exec(error.message)?.[1] ?? '';
    const place = { found, start, end: Math.min(text.length, start + found.length) };
    const [reason = ''] = error.message.split(':');
    if (/^not$/i.test(found)) return unexpectedSymbol(place);
    if (reason === 'Unrecognized named-value') return unknownContext(place);
    if (reason === 'Unrecognized function') return unknownFunction(place.found, place);
    if (reason === 'Unexpected end of expression' || isEnd(text, place)) {
      return unexpectedEnd(text, lines);
    }
    if (reason === 'Unexpected symbol') return unexpectedSymbol(place);
    const message = ENGINE_REASONS[reason]?.(found) ?? `${lowerFirst(reason)} at '${found}'`;
    return new ExpressionError('syntax', message, place, { cause: error });
  }
  // The lexer's own errors: Unexpected symbol: 'X'. Located at position N within expression: ...
  const position = /Located at position (\d+) within expression/.exec(error.message)?.[1];
  const start = position === undefined ? 0 : Number(position) - 1;
  const found = /^Unexpected symbol: '([^]*)'\. Located at/.exec(error.message)?.[1] ?? text;
  return unexpectedSymbol({ found, start, end: start + found.length });
}

const ENGINE_REASONS: Readonly<Record<string, (found: string) => string>> = {
  'Too few parameters supplied': (found) => `${found}() has too few arguments`,
  'Too many parameters supplied': (found) => `${found}() has too many arguments`,
};

interface Place {
  readonly found: string;
  readonly start: number;
  readonly end: number;
}

function unknownContext(place: Place): ExpressionError {
  const message = `unknown name '${place.found}'; expected one of ${CONTEXTS.join(', ')}`;
  return new ExpressionError('unknown-context', message, place);
}

function unknownFunction(found: string, place: Omit<Place, 'found'>): ExpressionError {
  const message = `unknown function '${found}'; expected one of ${FUNCTIONS.join(', ')}`;
  return new ExpressionError('unknown-function', message, { ...place, found });
}

/** The parser calls the end of the text 'EOF', and gives it the place of the last token. */
function isEnd(text: string, { found, start }: Place): boolean {
  return found === 'EOF' && !text.startsWith('EOF', start);
}

const OPENING: ReadonlyMap<TokenType, string> = new Map([
  [TokenType.LEFT_PAREN, ')'],
  [TokenType.LEFT_BRACKET, ']'],
]);
const CLOSING: ReadonlySet<TokenType> = new Set([TokenType.RIGHT_PAREN, TokenType.RIGHT_BRACKET]);

/** The text ends behind a whole value only where something is not closed. */
function unexpectedEnd(text: string, lines: readonly number[]): ExpressionError {
  const tokens = new Lexer(text).lex().tokens.filter(({ type }) => type !== TokenType.EOF);
  const open: Token[] = [];
  for (const token of tokens) {
    if (OPENING.has(token.type)) open.push(token);
    if (CLOSING.has(token.type)) open.pop();
  }
  const last = tokens.at(-1);
  const unclosed = open.at(-1);
  if (unclosed !== undefined && last !== undefined && endsValue(last)) {
    const place = placeOf(unclosed, lines);
    const message = `'${place.found}' is not closed; add '${OPENING.get(unclosed.type) ?? ''}'`;
    return new ExpressionError('syntax', message, place);
  }
  const place = last === undefined ? wholeOf(text) : placeOf(last, lines);
  return new ExpressionError('syntax', `a value is missing after '${place.found}'`, place);
}

function endsValue({ type }: Token): boolean {
  return CLOSING.has(type) || type === TokenType.STAR || type >= TokenType.NUMBER;
}

function placeOf({ lexeme, range }: Token, lines: readonly number[]): Place {
  return { found: lexeme, start: offsetOf(range.start, lines), end: offsetOf(range.end, lines) };
}

function wholeOf(text: string): Place {
  return { found: text, start: 0, end: text.length };
}

function unexpectedSymbol(place: Place): ExpressionError {
  const { found } = place;
  const word = found.toLowerCase();
  const remedies: readonly (readonly [boolean, string])[] = [
    [found.startsWith("'"), 'close the string with a single quote'],
    [found.includes('"'), 'write strings in single quotes'],
    [found.startsWith('='), "compare with '=='"],
    [found.startsWith('&') || word === 'and', "write '&&'"],
    [found.startsWith('|') || word === 'or', "write '||'"],
    [word === 'not', "write '!'"],
    [found.startsWith('$'), 'leave out the inner ${{'],
    [/^[-+*/%]|\d[-+*/%]/.test(found), 'expressions have no arithmetic'],
  ];
  const remedy = remedies.find(([applies]) => applies)?.[1];
  const message = `unexpected '${found}'${remedy === undefined ? '' : `; ${remedy}`}`;
  return new ExpressionError('syntax', message, place);
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

function lineStarts(text: string): readonly number[] {
  const starts = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return starts;
}
