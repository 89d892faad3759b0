import { SEARCH_ATTRIBUTES } from '../../plan/search-attributes.ts';
import { CommandError } from '../command-error.ts';
import { printJson, printLines, table } from '../output.ts';
import {
  ATTRIBUTE_NAMES,
  INDEXED_VALUE_TYPE,
  isRegistered,
  registeredTypes,
} from '../search-attributes.ts';
import { withConnection } from './session.ts';

interface SetUpAttribute {
  readonly name: string;
  readonly type: string;
  readonly was: 'registered' | 'there';
}

/** `retune setup`: registers the search attributes of runs with the server, those that it lacks. */
export async function setup({ json }: { json?: boolean }): Promise<number> {
  return withConnection(async ({ client, namespace, address }) => {
    const { operatorService } = client.connection;
    const types = await registeredTypes(operatorService, namespace);
    for (const name of ATTRIBUTE_NAMES) {
      if (!types.has(name) || isRegistered(types, name)) continue;
      throw new CommandError(
        `the search attribute ${name} of namespace '${namespace}' has another type than ` +
          `${SEARCH_ATTRIBUTES[name]}: remove it with 'temporal operator search-attribute remove ` +
          `--name ${name}', if nothing else needs it, then try again`,
      );
    }
    const missing = ATTRIBUTE_NAMES.filter((name) => !types.has(name));
    if (missing.length > 0) {
      const wanted = missing.map((name) => [name, INDEXED_VALUE_TYPE[SEARCH_ATTRIBUTES[name]]]);
      await operatorService.addSearchAttributes({
        namespace,
        searchAttributes: Object.fromEntries(wanted) as Record<string, number>,
      });
    }
    const attributes = ATTRIBUTE_NAMES.map((name): SetUpAttribute => {
      const was = missing.includes(name) ? 'registered' : 'there';
      return { name, type: SEARCH_ATTRIBUTES[name], was };
    });
    if (json) printJson({ namespace, searchAttributes: attributes });
    else {
      const words = { registered: 'registered now', there: 'was there' };
      printLines([
        `search attributes of namespace '${namespace}' at ${address}:`,
        ...table(attributes.map(({ name, type, was }) => [`  ${name}`, type, words[was]])),
      ]);
    }
    return 0;
  });
}
