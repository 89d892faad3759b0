import { Composer, type CST, Parser } from 'yaml';
import type { Document, YAMLError } from 'yaml';
import { MAX_DEPTH } from '../plan/json-depth.ts';
import { quote } from './located.ts';
import type { Reporter } from './reporter.ts';
import type { Range } from './source-text.ts';
import { coreTypes } from './yaml-types.ts';
import { lex, type Marks, reportTooDeep, withoutBareExpressions } from './yaml-lexer.ts';

/**
 * The one YAML document of a text. Rule `yaml`.
 *
 * @returns undefined when there was something to report
 */
export function composeYaml(reporter: Reporter): Document.Parsed | undefined {
  const { text } = reporter.source;
  const marks = lex(text, reporter);
  if (marks === undefined) return undefined;
  const composition = compose(withoutBareExpressions(text, marks, reporter), text.length);
  report(composition, reporter);
  return reporter.hasErrors ? undefined : composition.document;
}

interface Composition {
  readonly tokens: readonly CST.Token[];
  readonly problems: readonly YAMLError[];
  readonly document?: Document.Parsed;
  /** Set when a second document follows. */
  readonly endOfFirst?: number;
  /** Where values nest too deep to be read further. */
  readonly tooDeepAt?: number;
}

function compose(marks: Marks, length: number): Composition {
  const parser = new Parser();
  const tokens: CST.Token[] = [];
  for (const mark of marks) for (const token of parser.next(mark)) tokens.push(token);
  tokens.push(...parser.end());
  let depth = 0;
  for (const [first] of layers(tokens)) {
    depth += 1;
    // The composer is recursive.
    if (depth > MAX_DEPTH) return { tokens, problems: [], tooDeepAt: first?.offset ?? 0 };
  }
  const composer = new Composer({
    ...{ version: '1.2', schema: 'core', uniqueKeys: false },
    customTags: coreTypes,
  });
  const [document, second] = composer.compose(tokens, true, length);
  if (document === undefined) throw new Error('internal: a text has no YAML document');
  return {
    tokens,
    document,
    problems: [...document.errors, ...document.warnings],
    ...(second !== undefined && { endOfFirst: document.range[1] }),
  };
}

/** The `---` of a second document, or what stands after a `...`. */
function startOfSecond(text: string, endOfFirst: number): number {
  const [between = ''] = /^\s*(?:\.{3}\s*)?/.exec(text.slice(endOfFirst)) ?? [];
  return endOfFirst + between.length;
}

function report(composition: Composition, reporter: Reporter): void {
  const { tokens, problems, document, endOfFirst, tooDeepAt } = composition;
  if (tooDeepAt !== undefined) reportTooDeep(tooDeepAt, reporter);
  if (document?.directives.yaml.version === '1.1') {
    const message = "the file says %YAML 1.1, which reads 'yes' as true; remove the line";
    reporter.error('yaml', { start: 0, end: 1 }, message);
  }
  if (endOfFirst !== undefined) {
    const start = startOfSecond(reporter.source.text, endOfFirst);
    const message = 'a second document starts here; expected one pipeline in a file';
    reporter.error('yaml', { start, end: start + 3 }, message);
  }
  const unclosed = problems.length === 0 ? NOTHING_OPEN : openTokens(tokens);
  for (const problem of withoutConsequences(problems, reporter)) {
    reportProblem(problem, unclosed, reporter);
  }
}

/** The first problem of each line; once the parser has given up, all that follows is one problem. */
function withoutConsequences(
  problems: readonly YAMLError[],
  reporter: Reporter,
): readonly YAMLError[] {
  const lines = new Set<number>();
  return problems.filter((problem, index) => {
    const { message } = problem;
    const line = reporter.source.lineOf(rangeOf(problem, reporter).start);
    const isFirst = !lines.has(line);
    lines.add(line);
    return isFirst && (index === 0 || !message.includes('in YAML stream'));
  });
}

/** House words for what people meet; YAML's own for the rest. */
const YAML_PROBLEMS: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: 'a tab indents this line; expected spaces',
  BAD_SCALAR_START: 'a value cannot begin with this character; put it in quotes',
  MULTILINE_IMPLICIT_KEY: "a key goes over more than one line; is a ':' missing in the line above?",
  BLOCK_AS_IMPLICIT_KEY: "a second ': ' in one line; put the value in quotes",
};

function reportProblem(problem: YAMLError, open: OpenTokens, reporter: Reporter): void {
  const { code, message } = problem;
  const range = rangeOf(problem, reporter);
  const { start, end } = range;
  const unclosed = unclosedToken(message, end, open);
  if (unclosed !== undefined) {
    const { at, mark } = unclosed;
    const text = `'${mark}' is not closed; add '${CLOSING[mark] ?? mark}'`;
    reporter.error('yaml', { start: at, end: at + 1 }, text);
  } else if (/^Unexpected flow-(seq|map)-start at node end/.test(message)) {
    const found = reporter.source.text.charAt(start);
    reporter.error('yaml', range, `'${found}' ends the value before it; put the value in quotes`);
  } else if (code === 'TAG_RESOLVE_FAILED') {
    const found = quote(reporter.source.text.slice(start, end));
    reporter.error('yaml', range, `${found} is read as a yaml tag; put the value in quotes`);
  } else if (message.includes('must start at the same column')) {
    const text = 'this line is not indented like those it belongs to; align it with them';
    reporter.error('yaml', range, text);
  } else {
    const text = YAML_PROBLEMS[code] ?? `not valid yaml: ${lowerFirst(message)}`;
    reporter.error('yaml', range, text);
  }
}

/** A badly indented line is named by the end of the line before it, or by its own start. */
function rangeOf({ message, pos: [start, end] }: YAMLError, reporter: Reporter): Range {
  if (!message.includes('must start at the same column')) return { start, end };
  const { text } = reporter.source;
  const first = start + text.slice(start).search(/\S|$/);
  return { start: first, end: first + text.slice(first).search(/\s|$/) };
}

const CLOSING: Readonly<Record<string, string>> = { '{': '}', '[': ']' };

/** What may not be closed: quoted scalars, and the innermost { or [; what is around it is open because of it. */
interface OpenTokens {
  readonly quoted: readonly CST.FlowScalar[];
  readonly collection?: CST.FlowCollection | undefined;
}

const NOTHING_OPEN: OpenTokens = { quoted: [] };

function openTokens(tokens: readonly CST.Token[]): OpenTokens {
  const all = [...layers(tokens)].flat();
  const collection = all.findLast(
    (each): each is CST.FlowCollection => each.type === 'flow-collection' && !isClosed(each),
  );
  return { quoted: all.filter(isQuoted), collection };
}

/** What was opened and never closed, where the parser names only the place it gave up. */
function unclosedToken(
  message: string,
  end: number,
  { quoted, collection }: OpenTokens,
): { readonly at: number; readonly mark: string } | undefined {
  if (message.startsWith('Missing closing')) {
    const token = quoted.find(
      ({ offset, source }) => offset < end && offset + source.length >= end - 1,
    );
    return token && { at: token.offset, mark: quoteMark(token) };
  }
  if (collection === undefined || !/flow[- ](collection|map|sequence)/i.test(message)) {
    return undefined;
  }
  return { at: collection.offset, mark: collection.start.source };
}

function isQuoted(token: CST.Token): token is CST.FlowScalar {
  return token.type === 'double-quoted-scalar' || token.type === 'single-quoted-scalar';
}

function quoteMark({ type }: CST.Token): string {
  return type === 'double-quoted-scalar' ? '"' : "'";
}

function isClosed({ start, end }: CST.FlowCollection): boolean {
  const closing = start.source === '{' ? 'flow-map-end' : 'flow-seq-end';
  return end.some(({ type }) => type === closing);
}

/** The values of each level of nesting, outermost first. */
function* layers(tokens: readonly CST.Token[]): Generator<readonly CST.Token[]> {
  let layer = tokens.flatMap((token) =>
    token.type === 'document' && token.value !== undefined ? [token.value] : [],
  );
  while (layer.length > 0) {
    yield layer;
    const next: CST.Token[] = [];
    for (const token of layer) {
      if (!('items' in token)) continue;
      for (const { key, value } of token.items) {
        if (key != null) next.push(key);
        if (value !== undefined) next.push(value);
      }
    }
    layer = next;
  }
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
