import {
  type CollectionTag,
  type Document,
  isCollection,
  isMap,
  isNode,
  isScalar,
  isSeq,
  type Node,
  Pair,
  parseDocument,
  Scalar,
  type ScalarTag,
  type Tags,
  visit,
  YAMLMap,
  YAMLSeq,
} from 'yaml';
import { keyName } from './key-name.ts';
import { isMergeKey } from './merge-keys.ts';
import { coreTypes } from './yaml-types.ts';
import type { JsonObject, JsonValue } from '../plan/json.ts';

type Collection = YAMLMap | YAMLSeq;

const MAX_ROUNDS = 8;

/** A map of a document, and the collections around it, the outermost first. */
export interface Place {
  readonly map: YAMLMap;
  readonly around: readonly Collection[];
}

/**
 * A file that is about to be filled in: its comments, its order and how its values are written stay;
 * what an alias stands for is written out, for each place gets its own defaults.
 */
export class PrintedDocument {
  readonly #document: Document.Parsed;
  /** Where the comment beside `key:` goes once the value is below it. */
  readonly #keys = new Map<unknown, Scalar>();

  /** @param text YAML in which nothing was found wrong */
  constructor(text: string) {
    this.#document = parseDocument(text, {
      version: '1.2',
      schema: 'core',
      uniqueKeys: false,
      customTags: (tags) => asWritten(coreTypes(tags)),
    });
    this.#writeOutAliases();
    this.#writeOutMerges();
    this.#keepCommentsBesideKeys(text);
  }

  get root(): Place {
    const { contents } = this.#document;
    if (!isMap(contents)) throw new Error('internal: a pipeline is a map');
    return { map: contents, around: [] };
  }

  /**
   * The text. What the library has written it may read with a comment or a blank line at another place,
   * and write otherwise: it does so until nothing changes any more.
   */
  toString(): string {
    let text = this.#write();
    for (let round = 0; round < MAX_ROUNDS; round += 1) {
      const again = new PrintedDocument(text).#write();
      if (again === text) break;
      text = again;
    }
    return text;
  }

  #write(): string {
    return this.#document.toString({ lineWidth: 0 });
  }

  /** Adds a key, or one before another; what is in braces becomes lines, for a comment ends a line. */
  add({ map, around }: Place, key: string, value: Node, before?: string): void {
    for (const collection of [...around, map]) this.#writeAsLines(collection);
    const next = before === undefined ? undefined : pairOf(map, before);
    const at = next === undefined ? map.items.length : map.items.indexOf(next);
    map.items.splice(at, 0, new Pair(new Scalar(key), value));
  }

  /** Puts a value below a key of its own, in a map where it was: `rows: 5` becomes `rows: { KEY: 5 }`. */
  wrap(place: Place, name: string, key: string): void {
    const pair = pairOf(place.map, name);
    if (pair === undefined) return;
    const map = new YAMLMap();
    map.items.push(new Pair(new Scalar(key), pair.value));
    pair.value = map;
    for (const collection of [...place.around, place.map]) this.#writeAsLines(collection);
  }

  /** Puts a value in the place of another, with that one's comment or else the given one. */
  replace(place: Place, key: string, value: JsonValue, comment: string): void {
    const pair = pairOf(place.map, key);
    if (pair === undefined) {
      this.add(place, key, markedNode(value, comment));
      return;
    }
    const old = isNode(pair.value) ? pair.value.comment : undefined;
    if (!old) for (const collection of [...place.around, place.map]) this.#writeAsLines(collection);
    pair.value = markedNode(value, old ?? comment);
  }

  #writeAsLines(collection: Collection): void {
    if (!collection.flow) return;
    collection.flow = false;
    const key = this.#keys.get(collection);
    if (key !== undefined && collection.comment) {
      key.comment = collection.comment;
      collection.comment = null;
    }
  }

  /** Before anything moves: what an alias means depends on what stands before it. */
  #writeOutAliases(): void {
    const anchors = new Map<string, Node>();
    visit(this.#document, {
      Alias: (_, { source, comment, commentBefore, spaceBefore }) => {
        const target = anchors.get(source);
        if (target === undefined) throw new Error(`internal: '*${source}' names nothing`);
        return Object.assign(target.clone() as Node, { comment, commentBefore, spaceBefore });
      },
      Value: (_, node) => {
        if (node.anchor === undefined) return;
        anchors.set(node.anchor, node);
        delete node.anchor;
      },
    });
  }

  /** What `<<` merges, before the keys of the map itself. */
  #writeOutMerges(): void {
    visit(this.#document, {
      Map: (_, map) => {
        const merges = map.items.filter(({ key }) => isMergeKey(key));
        if (merges.length === 0) return;
        map.items = [...withoutMerges(map)];
        const key = map.items[0]?.key;
        const comments = merges.flatMap(commentsOf).join('\n');
        if (isScalar(key) && comments !== '') {
          key.commentBefore = [comments, key.commentBefore].filter(Boolean).join('\n');
        }
      },
    });
  }

  /** `steps: # of the run` has its comment before the first step, as the library reads it. */
  #keepCommentsBesideKeys(text: string): void {
    visit(this.#document, {
      Pair: (_, { key, value }) => {
        if (!isScalar(key) || !isCollection(value)) return;
        this.#keys.set(value, key);
        const [, , end = 0] = key.range ?? [];
        const isBeside = /^[ \t]*:[ \t]*(?:[&!]\S*[ \t]+)*#/.test(text.slice(end));
        if (!isBeside || value.flow === true || !value.commentBefore) return;
        const [first = '', ...rest] = value.commentBefore.split('\n');
        key.comment = first;
        value.commentBefore = rest.join('\n');
      },
    });
  }
}

/** The entry of a key as the compiler names it. */
export function pairOf({ items }: YAMLMap, name: string): Pair | undefined {
  return items.find(({ key }) => nameOf(key) === name);
}

/** Keys of a map that still reads well on one line. */
const MAX_ON_ONE_LINE = 4;

/** A value with a comment at the end of its line; of a larger map each value is on one of its own. */
export function markedNode(value: JsonValue, comment: string): Node {
  const values = value !== null && typeof value === 'object' ? Object.values(value) : [];
  const isFlat = values.every((item) => item === null || typeof item !== 'object');
  const isLine = Array.isArray(value) || (isFlat && values.length <= MAX_ON_ONE_LINE);
  if (value === null || typeof value !== 'object' || isLine) {
    return Object.assign(plainNode(value), { comment });
  }
  return mapNode(value as JsonObject, (item) => markedNode(item, comment));
}

/** A value on one line. */
function plainNode(value: JsonValue): Node {
  if (value === null || typeof value !== 'object') return scalarNode(value);
  if (!Array.isArray(value)) {
    return Object.assign(mapNode(value as JsonObject, plainNode), { flow: true });
  }
  const list = new YAMLSeq();
  list.items.push(...value.map(plainNode));
  return Object.assign(list, { flow: true });
}

function mapNode(value: JsonObject, nodeOf: (item: JsonValue) => Node): YAMLMap {
  const map = new YAMLMap();
  const pairs = Object.entries(value).map(([key, item]) => new Pair(new Scalar(key), nodeOf(item)));
  map.items.push(...pairs);
  return map;
}

function scalarNode(value: string | number | boolean | null): Scalar {
  const scalar = new Scalar(value);
  const isSmall = typeof value === 'number' && value !== 0 && Math.abs(value) < 1e-3;
  if (isSmall) scalar.source = value.toExponential();
  return scalar;
}

/** `5.0e-5` stays as it is, and `[a, b]` gets no spaces inside, unlike `{ a: b }`. */
function asWritten(tags: Tags): Tags {
  return tags.map((tag) => {
    if (typeof tag === 'string') return tag;
    if (isScalarTag(tag)) return withSource(tag);
    return tag.collection === 'seq' ? padded(tag, '') : padded(tag, ' ');
  });
}

function isScalarTag(tag: ScalarTag | CollectionTag): tag is ScalarTag {
  return tag.collection === undefined;
}

function withSource(tag: ScalarTag): ScalarTag {
  const { stringify } = tag;
  if (stringify === undefined) return tag;
  return {
    ...tag,
    stringify: (item, ...rest) =>
      typeof item.value === 'number' && item.source !== undefined
        ? item.source
        : stringify(item, ...rest),
  };
}

/** How the library writes a collection; it reads a `stringify` of collections too, and declares it of scalars alone. */
type Written = Pick<YAMLSeq, 'toString'>;
type Context = Parameters<NonNullable<ScalarTag['stringify']>>[1];

function padded(tag: CollectionTag, flowCollectionPadding: string): CollectionTag {
  const stringify = (node: Written, context: Context, ...rest: (() => void)[]): string =>
    node.toString({ ...context, flowCollectionPadding }, ...rest);
  return Object.assign({ ...tag }, { stringify });
}

/** The pairs of a map with those that it merges: its own keys count most, then the first source. */
function withoutMerges(map: YAMLMap): readonly YAMLMap['items'][number][] {
  const own = map.items.filter(({ key }) => !isMergeKey(key));
  const sources = map.items
    .filter(({ key }) => isMergeKey(key))
    .flatMap(({ value }) => (isSeq(value) ? value.items : [value]))
    .filter(isMap);
  const seen = new Set(own.map(({ key }) => nameOf(key)));
  const merged = sources.flatMap(withoutMerges).filter(({ key }) => {
    const name = nameOf(key);
    return !seen.has(name) && seen.add(name);
  });
  return [...merged, ...own];
}

/** Of a merge and of the collections that it names, whose pairs keep their own. */
function commentsOf({ key, value }: YAMLMap['items'][number]): readonly string[] {
  const nodes = [key, value, ...(isSeq(value) ? value.items : [])].filter(isNode);
  return nodes.flatMap(({ commentBefore, comment }) =>
    [commentBefore, comment].filter((text) => text != null),
  );
}

function nameOf(key: unknown): string | undefined {
  return isScalar(key) ? keyName(key) : undefined;
}
