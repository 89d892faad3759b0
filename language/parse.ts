import { isAlias, isMap, isScalar, isSeq } from 'yaml';
import type { Node, Scalar, YAMLMap, YAMLSeq } from 'yaml';
import { reportDuplicateKey } from './checks/duplicate-key.ts';
import type { JsonValue } from '../plan/json.ts';
import { MAX_DEPTH } from '../plan/json-depth.ts';
import { keyName } from './key-name.ts';
import type { Located, LocatedEntry, LocatedMap, LocatedScalar } from './located.ts';
import { quote, toJson } from './located.ts';
import { isMergeKey, mergeSources, withMerged } from './merge-keys.ts';
import { Reporter } from './reporter.ts';
import { type Range, SourceText } from './source-text.ts';
import { composeYaml } from './yaml-syntax.ts';

/** Once aliases are followed: a few lines of them can stand for billions of values. */
const MAX_VALUES = 200_000;
const MAX_CHARACTERS = 4 * 1024 * 1024;

/** What is in a value, aliases followed. */
interface Extent {
  readonly values: number;
  /** Of keys and texts. */
  readonly characters: number;
  /** Maps and lists within one another. */
  readonly depth: number;
}

/**
 * Reads YAML 1.2 (core schema) into values with places. What is not one map of JSON values is
 * reported by the rules `yaml` and `duplicate-key`.
 *
 * @returns undefined when the text cannot be checked further
 */
export function parseYaml(reporter: Reporter): LocatedMap | undefined {
  const document = composeYaml(reporter);
  if (document === undefined) return undefined;
  const { contents } = document;
  if (!isMap(contents)) {
    const found = isSeq(contents) ? 'a list' : contents?.range[1] ? 'text' : 'nothing';
    const message = `the file holds ${found}; expected a map that begins with name: NAME`;
    reporter.error('yaml', nodeRange(contents), message);
    return undefined;
  }
  const root = new Locator(reporter).locateRoot(contents);
  return root?.kind === 'map' ? root : undefined;
}

export type ParsedValue =
  | { readonly ok: true; readonly value: JsonValue }
  | { readonly ok: false; readonly message: string };

/** One YAML value of any kind, as it stands on a command line, or what is wrong with it. */
export function parseYamlValue(text: string): ParsedValue {
  const reporter = new Reporter(new SourceText('value', text));
  const located = reporter.attempt(() => {
    const document = composeYaml(reporter);
    return document && new Locator(reporter).locateRoot(document.contents);
  });
  if (located !== undefined && !reporter.hasErrors) return { ok: true, value: toJson(located) };
  const [first] = reporter.diagnostics();
  return { ok: false, message: first?.message ?? '' };
}

const EMPTY: LocatedScalar = {
  kind: 'scalar',
  range: { start: 0, end: 0 },
  value: null,
  isInteger: false,
};

const JSON_TAGS: ReadonlySet<string> = new Set([
  '!',
  ...['str', 'int', 'float', 'bool', 'null', 'map', 'seq'].map(
    (type) => `tag:yaml.org,2002:${type}`,
  ),
]);

/** Turns YAML nodes into located values; what an alias names is shared, not copied. */
class Locator {
  readonly #reporter: Reporter;
  readonly #anchors = new Map<string, Located | 'open'>();
  readonly #extents = new Map<Located, Extent>();
  #hasBadAlias = false;
  /** Entries that merge keys have brought in. */
  #merged = 0;

  constructor(reporter: Reporter) {
    this.#reporter = reporter;
  }

  locateRoot(node: Node | null): Located | undefined {
    const root = this.#locate(node, { start: 0, end: 0 });
    if (this.#hasBadAlias) return undefined;
    const problem = extentProblem(this.#extentOf(root));
    if (problem === undefined) return root;
    this.#reporter.error('yaml', { start: 0, end: 0 }, problem);
    return undefined;
  }

  #locate(node: Node | null | undefined, fallback: Range): Located {
    if (node === null || node === undefined) return { ...EMPTY, range: fallback };
    if (isAlias(node)) return this.#resolve(node.source, nodeRange(node));
    const anchor = 'anchor' in node ? node.anchor : undefined;
    if (anchor !== undefined) this.#anchors.set(anchor, 'open');
    const located = this.#locateValue(node);
    // One inside with the same name comes later, and counts.
    if (anchor !== undefined && this.#anchors.get(anchor) === 'open') {
      this.#anchors.set(anchor, located);
    }
    return located;
  }

  #locateValue(node: Node): Located {
    if (this.#hasForeignTag(node)) return { ...EMPTY, range: nodeRange(node) };
    if (isMap(node)) return this.#locateMap(node as YAMLMap.Parsed);
    if (isSeq(node)) return this.#locateList(node as YAMLSeq.Parsed);
    return this.#locateScalar(node as Scalar.Parsed);
  }

  /** Rule `yaml`: the library knows more types than JSON has. */
  #hasForeignTag(node: Node): boolean {
    const { tag } = node;
    if (tag === undefined || JSON_TAGS.has(tag)) return false;
    const found = quote(tag.replace('tag:yaml.org,2002:', '!!'));
    const message = `${found} is not a type of json; remove it, or put the value in quotes`;
    this.#reporter.error('yaml', nodeRange(node), message);
    return true;
  }

  #resolve(anchor: string, range: Range): Located {
    const target = this.#anchors.get(anchor);
    if (target === undefined || target === 'open') {
      const message =
        target === undefined
          ? `unknown alias ${quote(`*${anchor}`)}; expected an anchor ${quote(`&${anchor}`)} before it`
          : `alias ${quote(`*${anchor}`)} stands inside its own anchor ${quote(`&${anchor}`)}; move one of them out`;
      this.#reporter.error('yaml', range, message);
      this.#hasBadAlias = true;
      return { ...EMPTY, range };
    }
    return target;
  }

  #locateMap(node: YAMLMap.Parsed): LocatedMap {
    const own = new Map<string, LocatedEntry>();
    const merges: LocatedEntry[] = [];
    for (const { key, value } of node.items) {
      const keyRange = nodeRange(key);
      const name = this.#keyText(key, keyRange);
      const located = this.#locate(value, { start: keyRange.end, end: keyRange.end });
      if (name === undefined) continue;
      const isMerge = isMergeKey(key);
      const first = isMerge ? merges[0] : own.get(name);
      const entry = { key: name, keyRange, value: located };
      if (first !== undefined) reportDuplicateKey(first, keyRange, this.#reporter);
      if (isMerge) merges.push(entry);
      else if (first === undefined) own.set(name, entry);
    }
    let entries = own;
    for (const merge of merges) entries = this.#merge(entries, merge);
    const map: LocatedMap = { kind: 'map', range: nodeRange(node), entries };
    const extent = { values: 1, characters: 0, depth: 1 };
    for (const { key, value } of entries.values()) {
      extent.characters += key.length;
      this.#addTo(extent, value);
    }
    this.#extents.set(map, extent);
    return map;
  }

  #merge(own: Map<string, LocatedEntry>, merge: LocatedEntry): Map<string, LocatedEntry> {
    if (this.#hasBadAlias) return own;
    const sources = mergeSources(merge, this.#reporter);
    this.#merged += sources.reduce((sum, { entries }) => sum + entries.size, 0);
    if (this.#merged <= MAX_VALUES) return withMerged(own, sources);
    const message = `'<<' has merged more than ${MAX_VALUES} values up to here; merge smaller maps`;
    this.#reporter.error('yaml', merge.keyRange, message);
    this.#hasBadAlias = true;
    return own;
  }

  #locateList(node: YAMLSeq.Parsed): Located {
    const range = nodeRange(node);
    const items = node.items.map((item) =>
      this.#locate(item, { start: range.start, end: range.start }),
    );
    const list: Located = { kind: 'list', range, items };
    const extent = { values: 1, characters: 0, depth: 1 };
    for (const item of items) this.#addTo(extent, item);
    this.#extents.set(list, extent);
    return list;
  }

  #addTo(extent: { -readonly [K in keyof Extent]: Extent[K] }, item: Located): void {
    const { values, characters, depth } = this.#extentOf(item);
    extent.values += values;
    extent.characters += characters;
    extent.depth = Math.max(extent.depth, depth + 1);
  }

  #extentOf(located: Located): Extent {
    const known = this.#extents.get(located);
    if (known !== undefined) return known;
    const text = located.kind === 'scalar' ? located.value : null;
    return { values: 1, characters: typeof text === 'string' ? text.length : 0, depth: 0 };
  }

  #keyText(key: Node | null, range: Range): string | undefined {
    if (key !== null && this.#hasForeignTag(key)) return undefined;
    const problem = !isScalar(key)
      ? 'a key is not text; expected a word'
      : key.value === null
        ? 'a key is empty; expected a word'
        : key.value === '__proto__'
          ? "'__proto__' cannot be a key; choose another name"
          : undefined;
    if (problem === undefined && isScalar(key)) {
      if (key.anchor !== undefined) this.#locate(key, range);
      return keyName(key);
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
    const isFloat = node.tag === 'tag:yaml.org,2002:float';
    const isInteger = !isFloat && (!/[.eE]/.test(source) || source.startsWith('0x'));
    const problem = numberProblem(value, source, isInteger);
    if (problem !== undefined) this.#reporter.error('yaml', range, problem);
    return { kind: 'scalar', range, value: Number(value) + 0, isInteger };
  }
}

function extentProblem({ values, characters, depth }: Extent): string | undefined {
  const found =
    values > MAX_VALUES
      ? `make ${values} values of this file; expected at most ${MAX_VALUES}`
      : characters > MAX_CHARACTERS
        ? `make ${characters} characters of this file; expected at most ${MAX_CHARACTERS}`
        : depth > MAX_DEPTH
          ? `nest values ${depth} levels deep; expected at most ${MAX_DEPTH}`
          : undefined;
  return found && `aliases ${found}`;
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
