import { Composer, isAlias, isMap, isScalar, isSeq, Lexer, Parser } from 'yaml';
import type { CST, Document, Node, Scalar, YAMLMap, YAMLSeq } from 'yaml';
import type { Located, LocatedEntry, LocatedMap, LocatedScalar } from './located.ts';
import { quote } from './located.ts';
import type { Reporter } from './reporter.ts';
import type { Range } from './source-text.ts';
import { MAX_DEPTH } from './source.ts';

/** Marks, keys and values of the text; a pipeline of 5,000 steps has some 200,000. */
const MAX_TOKENS = 300_000;
/** Values once aliases are followed: a few lines of them can stand for billions. */
const MAX_VALUES = 200_000;

/**
 * Reads YAML 1.2 (core schema) into values with places. What is not one map of JSON values is
 * reported by the rules `yaml` and `duplicate-key`.
 *
 * @returns undefined when the text cannot be checked further
 */
export function parseYaml(reporter: Reporter): LocatedMap | undefined {
  const { text } = reporter.source;
  if (hasTooManyTokens(reporter)) return undefined;
  const tokens = [...new Parser().parse(text)];
  if (nestsTooDeep(tokens, reporter)) return undefined;
  const composer = new Composer({ version: '1.2', schema: 'core', uniqueKeys: false });
  const [document, second] = composer.compose(tokens, true, text.length);
  if (document === undefined) return undefined;
  reportProblems(document, tokens, reporter);
  if (second !== undefined) {
    const start = Math.max(0, text.indexOf('---', document.range[1]));
    const message = 'a second document starts here; expected one pipeline in a file';
    reporter.error('yaml', { start, end: start + 3 }, message);
  }
  if (reporter.hasErrors) return undefined;
  const { contents } = document;
  if (!isMap(contents)) {
    const found = isSeq(contents) ? 'a list' : contents?.range[1] ? 'text' : 'nothing';
    const message = `the file holds ${found}; expected a map that begins with name: NAME`;
    reporter.error('yaml', nodeRange(contents), message);
    return undefined;
  }
  return new Locator(reporter).locateRoot(contents);
}

/** The parser is slow on hostile text: the cheap lexer counts first. */
function hasTooManyTokens(reporter: Reporter): boolean {
  let count = 0;
  for (const token of new Lexer().lex(reporter.source.text)) {
    count += token === '' ? 0 : 1;
    if (count <= MAX_TOKENS) continue;
    const message = `the file has more than ${MAX_TOKENS} YAML tokens; split the pipeline`;
    reporter.error('yaml', { start: 0, end: 0 }, message);
    return true;
  }
  return false;
}

/** What follows the parser is recursive: deep text must stop here. */
function nestsTooDeep(tokens: readonly CST.Token[], reporter: Reporter): boolean {
  let depth = 0;
  for (const [first] of layers(tokens)) {
    depth += 1;
    if (depth <= MAX_DEPTH || first === undefined) continue;
    const message = `values nest more than ${MAX_DEPTH} levels deep; flatten them`;
    reporter.error('yaml', { start: first.offset, end: first.offset }, message);
    return true;
  }
  return false;
}

/** The values of each level of nesting, outermost first. */
function* layers(tokens: readonly CST.Token[]): Generator<readonly CST.Token[]> {
  let layer = tokens.flatMap((token) =>
    token.type === 'document' && token.value !== undefined ? [token.value] : [],
  );
  while (layer.length > 0) {
    yield layer;
    layer = layer.flatMap((token) =>
      'items' in token
        ? token.items.flatMap(({ key, value }) => [key, value].filter((item) => item != null))
        : [],
    );
  }
}

/** House words for what people meet; YAML's own for the rest. */
const YAML_PROBLEMS: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: 'a tab indents this line; expected spaces',
  BAD_SCALAR_START: 'a value cannot begin with this character; put it in quotes',
  MULTILINE_IMPLICIT_KEY: "a key goes over more than one line; is a ':' missing in the line above?",
  BLOCK_AS_IMPLICIT_KEY: "a second ': ' in one line; put the value in quotes",
};

function reportProblems(
  { errors, warnings, directives }: Document.Parsed,
  tokens: readonly CST.Token[],
  reporter: Reporter,
): void {
  if (directives.yaml.version === '1.1') {
    const message = "the file says %YAML 1.1, which reads 'yes' as true; remove the line";
    reporter.error('yaml', { start: 0, end: 1 }, message);
  }
  const unclosed = unclosedCollection(tokens);
  for (const { code, message, pos } of [...errors, ...warnings]) {
    if (unclosed !== undefined && / flow-?\s?(map|collection|seq|sequence)/i.test(` ${message}`)) {
      const { offset, start } = unclosed;
      const close = start.source === '{' ? '}' : ']';
      const text = `'${start.source}' is not closed; add '${close}'`;
      reporter.error('yaml', { start: offset, end: offset + 1 }, text);
      continue;
    }
    const text = YAML_PROBLEMS[code] ?? `not valid yaml: ${lowerFirst(message)}`;
    reporter.error('yaml', { start: pos[0], end: pos[1] }, text);
  }
}

/** The first `{` or `[` without its end, where the parser names only the place it gave up. */
function unclosedCollection(tokens: readonly CST.Token[]): CST.FlowCollection | undefined {
  for (const layer of layers(tokens)) {
    const found = layer.find(
      (token) =>
        token.type === 'flow-collection' &&
        !token.end.some(({ type }) => type === 'flow-map-end' || type === 'flow-seq-end'),
    );
    if (found?.type === 'flow-collection') return found;
  }
  return undefined;
}

const EMPTY: LocatedScalar = {
  kind: 'scalar',
  range: { start: 0, end: 0 },
  value: null,
  isInteger: false,
};

/** Turns YAML nodes into located values; what an alias names is shared, not copied. */
class Locator {
  readonly #reporter: Reporter;
  readonly #anchors = new Map<string, Located | 'open'>();
  /** Values within each collection, aliases followed. */
  readonly #sizes = new Map<Located, number>();
  #hasBadAlias = false;

  constructor(reporter: Reporter) {
    this.#reporter = reporter;
  }

  locateRoot(node: YAMLMap.Parsed): LocatedMap | undefined {
    const root = this.#locateMap(node);
    if (this.#hasBadAlias) return undefined;
    const size = this.#sizes.get(root) ?? 0;
    if (size <= MAX_VALUES) return root;
    const message = `aliases make ${size} values of this file; expected at most ${MAX_VALUES}`;
    this.#reporter.error('yaml', { start: 0, end: 0 }, message);
    return undefined;
  }

  #locate(node: Node | null | undefined, fallback: Range): Located {
    if (node === null || node === undefined) return { ...EMPTY, range: fallback };
    if (isAlias(node)) return this.#resolve(node.source, nodeRange(node));
    const anchor = 'anchor' in node ? node.anchor : undefined;
    if (anchor !== undefined) this.#anchors.set(anchor, 'open');
    const located = isMap(node)
      ? this.#locateMap(node as YAMLMap.Parsed)
      : isSeq(node)
        ? this.#locateList(node as YAMLSeq.Parsed)
        : this.#locateScalar(node as Scalar.Parsed);
    if (anchor !== undefined) this.#anchors.set(anchor, located);
    return located;
  }

  #resolve(anchor: string, range: Range): Located {
    const target = this.#anchors.get(anchor);
    if (target === undefined || target === 'open') {
      const message =
        target === undefined
          ? `unknown alias '*${anchor}'; expected an anchor '&${anchor}' before it`
          : `alias '*${anchor}' stands inside its own anchor '&${anchor}'; move one of them out`;
      this.#reporter.error('yaml', range, message);
      this.#hasBadAlias = true;
      return { ...EMPTY, range };
    }
    return target;
  }

  #locateMap(node: YAMLMap.Parsed): LocatedMap {
    const entries = new Map<string, LocatedEntry>();
    for (const { key, value } of node.items) {
      const keyRange = nodeRange(key);
      const name = this.#keyText(key, keyRange);
      const located = this.#locate(value, { start: keyRange.end, end: keyRange.end });
      if (name === undefined) continue;
      if (entries.has(name)) {
        const { line } = this.#reporter.source.place(entries.get(name)?.keyRange ?? keyRange);
        const message = `key ${quote(name)} is here a second time, after line ${line}; keep one`;
        this.#reporter.error('duplicate-key', keyRange, message);
      } else {
        entries.set(name, { key: name, keyRange, value: located });
      }
    }
    const map: LocatedMap = { kind: 'map', range: nodeRange(node), entries };
    this.#measure(
      map,
      [...entries.values()].map(({ value }) => value),
    );
    return map;
  }

  #locateList(node: YAMLSeq.Parsed): Located {
    const range = nodeRange(node);
    const items = node.items.map((item) =>
      this.#locate(item, { start: range.start, end: range.start }),
    );
    const list: Located = { kind: 'list', range, items };
    this.#measure(list, items);
    return list;
  }

  #measure(collection: Located, items: readonly Located[]): void {
    const size = items.reduce((sum, item) => sum + (this.#sizes.get(item) ?? 1), 1);
    this.#sizes.set(collection, size);
  }

  #keyText(key: Node | null, range: Range): string | undefined {
    const problem = !isScalar(key)
      ? 'a key is not text; expected a word'
      : key.value === null
        ? 'a key is empty; expected a word'
        : key.value === '__proto__'
          ? "'__proto__' cannot be a key; choose another name"
          : undefined;
    if (problem === undefined && isScalar(key)) {
      return typeof key.value === 'string' ? key.value : (key.source ?? String(key.value));
    }
    this.#reporter.error('yaml', range, problem ?? '');
    return undefined;
  }

  #locateScalar(node: Scalar.Parsed): LocatedScalar {
    const range = nodeRange(node);
    const { value, source = '' } = node as { value: unknown; source?: string };
    if (value === null || typeof value === 'string' || typeof value === 'boolean') {
      return { kind: 'scalar', range, value, isInteger: false };
    }
    const isInteger = !/[.eE]/.test(source) || source.startsWith('0x');
    const problem = numberProblem(value, source, isInteger);
    if (problem !== undefined) this.#reporter.error('yaml', range, problem);
    return { kind: 'scalar', range, value: Number(value) + 0, isInteger };
  }
}

function numberProblem(value: unknown, source: string, isInteger: boolean): string | undefined {
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    return `${quote(source)} is not a finite number; put it in quotes if it is text`;
  }
  if (isInteger && !Number.isSafeInteger(value)) {
    return `${quote(source)} is too large to be held exactly; put it in quotes if it is text`;
  }
  return undefined;
}

function nodeRange(node: { range?: readonly number[] | null } | null): Range {
  const [start = 0, end = start] = node?.range ?? [];
  return { start, end };
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
