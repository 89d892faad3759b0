import type { VisibleFacts } from '../activities/contract.ts';
import { SEARCH_ATTRIBUTES, type SearchAttribute } from '../plan/search-attributes.ts';

/** The part of Temporal's operator service that is used, of a client's or a worker's connection. */
interface OperatorService {
  listSearchAttributes(request: {
    namespace: string;
  }): Promise<{ customAttributes?: Readonly<Record<string, number>> | null }>;
}

/** https://github.com/temporalio/api: temporal.api.enums.v1.IndexedValueType */
export const INDEXED_VALUE_TYPE = {
  TEXT: 1,
  KEYWORD: 2,
  INT: 3,
  DOUBLE: 4,
  BOOL: 5,
  DATETIME: 6,
  KEYWORD_LIST: 7,
} as const;

export const ATTRIBUTE_NAMES = Object.keys(SEARCH_ATTRIBUTES) as readonly SearchAttribute[];

/** The types of the namespace's own search attributes, by name. @throws what the server answers */
export async function registeredTypes(
  operatorService: OperatorService,
  namespace: string,
): Promise<ReadonlyMap<string, number>> {
  const { customAttributes } = await operatorService.listSearchAttributes({ namespace });
  return new Map(Object.entries(customAttributes ?? {}));
}

/** Whether the namespace has it, with its type. */
export function isRegistered(types: ReadonlyMap<string, number>, name: SearchAttribute): boolean {
  return types.get(name) === INDEXED_VALUE_TYPE[SEARCH_ATTRIBUTES[name]];
}

/** A server that is asked for every run would answer the same nearly always. */
const ASK_EVERY_MS = 60_000;

/**
 * Asks the server which of Retune's search attributes it has; none, where that is not known: a run
 * that sets one that is not there would stand still.
 *
 * @param isEncrypted whether the server is to know nothing but a run's status: it indexes plain text
 */
export function visibleFacts(
  operatorService: OperatorService,
  namespace: string,
  isEncrypted: boolean,
): () => Promise<VisibleFacts> {
  let known: { readonly at: number; readonly facts: VisibleFacts } | undefined;
  return async () => {
    if (known !== undefined && performance.now() - known.at < ASK_EVERY_MS) return known.facts;
    const types = await registeredTypes(operatorService, namespace).catch(() => new Map());
    const searchAttributes = ATTRIBUTE_NAMES.filter(
      (name) => isRegistered(types, name) && (name === 'RetuneStatus' || !isEncrypted),
    );
    const facts = { searchAttributes, memo: true };
    known = { at: performance.now(), facts };
    return facts;
  };
}
