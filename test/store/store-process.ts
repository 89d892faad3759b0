/*
 * A process that writes to a store, for tests of several processes and of killed ones:
 *   store-process.ts URL increment REF TIMES    adds 1 to a counter, TIMES times, one line each
 *   store-process.ts URL put BYTES              puts a blob, prints its digest
 *   store-process.ts URL put-file PATH          puts a file, prints its digest
 *   store-process.ts URL put-many BYTES         puts blobs, each different, until it is killed
 */
import { openStore } from '../../store/open.ts';
import type { Failure } from '../../plan/failures.ts';
import type { Store } from '../../store/store.ts';

const [url = '', command, ...operands] = process.argv.slice(2);

try {
  await run(await openStore(url));
} catch (error) {
  const { type, message } = error as Failure;
  console.log(`${type}: ${message}`);
}

async function run(store: Store): Promise<void> {
  switch (command) {
    case 'increment': {
      const [ref = '', times] = operands;
      for (let count = 0; count < Number(times); count += 1) {
        console.log(await increment(store, ref));
      }
      return;
    }
    case 'put':
      console.log((await store.putBlob(Buffer.alloc(Number(operands[0]), 'x'))).digest);
      return;
    case 'put-file':
      console.log((await store.putFile(operands[0] ?? '')).digest);
      return;
    case 'put-many':
      for (let count = 0; ; count += 1) {
        const bytes = Buffer.alloc(Number(operands[0]), `${process.pid} ${count};`);
        console.log((await store.putBlob(bytes)).digest);
      }
    default:
      throw new Error(`unknown command ${command}`);
  }
}

async function increment(store: Store, ref: string): Promise<number> {
  for (;;) {
    const current = await store.getRef(ref);
    const next = Number(current?.value ?? 0) + 1;
    if ((await store.swapRef(ref, current?.version, next)) !== undefined) return next;
  }
}
