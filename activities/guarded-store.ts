import { createReadStream } from 'node:fs';
import { basename } from 'node:path';
import { Failure } from '../plan/failures.ts';
import type { JsonObject } from '../plan/json.ts';
import type { Store } from '../store/store.ts';
import { SecretScanner } from './secret-scanner.ts';

/**
 * The store for a step that was given secrets: what holds one of them is not put into it. All bytes
 * of blobs and refs are looked at, as they are written: inside compressed data nothing is found.
 *
 * @param secrets values by name
 */
export function guardedStore(store: Store, secrets: ReadonlyMap<string, string>): Store {
  if (secrets.size === 0) return store;
  const scanner = new SecretScanner(secrets);
  const refuse = (name: string | undefined, where: string): void => {
    if (name !== undefined) throw heldSecret(name, where);
  };
  return {
    url: store.url,
    async putBlob(bytes, announce) {
      refuse(scanner.nameIn(bytes), 'what it makes');
      return store.putBlob(bytes, announce);
    },
    async putFile(path, announce) {
      refuse(await scanner.nameInStream(createReadStream(path)), `its file ${basename(path)}`);
      return store.putFile(path, announce);
    },
    async swapRef(name, expected, value) {
      refuse(scanner.nameInJson([name, value]), 'its record');
      return store.swapRef(name, expected, value);
    },
    getBlob: (digest) => store.getBlob(digest),
    getFile: (digest) => store.getFile(digest),
    hasBlob: (digest) => store.hasBlob(digest),
    deleteBlob: (digest) => store.deleteBlob(digest),
    getRef: (name) => store.getRef(name),
    deleteRef: (name) => store.deleteRef(name),
    listRefs: (prefix) => store.listRefs(prefix),
  };
}

/**
 * What a step gives is kept with the run.
 *
 * @param secrets values by name
 * @throws InvalidInput when what it gives holds one of them
 */
export function requireNoSecret(
  secrets: ReadonlyMap<string, string>,
  given: JsonObject,
  where: string,
): void {
  const name = new SecretScanner(secrets).nameInJson(given);
  if (name !== undefined) throw heldSecret(name, where);
}

/** The failure of a step whose result holds a secret. */
function heldSecret(name: string, where: string): Failure {
  return new Failure(
    'InvalidInput',
    `${where} holds the value of secret '${name}', and nothing is kept that does: take it out of ` +
      'what the step reads, or use another secret',
  );
}
