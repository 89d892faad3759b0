// Prints a secret in every way that a step's code can, beside the worker's log.
import { Redactor } from '../../activities/redactor.ts';
import { workerLog } from '../../cli/worker-log.ts';

const secret = process.env['RETUNE_SECRET_TOKEN'] ?? '';
const redactor = new Redactor();
const log = workerLog(redactor);
log.info({ token: secret }, 'before it is known');
redactor.add(secret);
log.info({ token: secret, nested: [{ [secret]: 1 }] }, `a message with ${secret}`);
log.error(new Error(`failed with ${secret}`));
console.log('console', secret, { token: secret });
console.error(new Error(secret));
process.stdout.write(Buffer.from(`bytes ${secret}\n`));
process.stdout.write(Buffer.from([0xff, 0xfe, 0x0a]));
await new Promise<void>((resolve) => process.stdout.write(`done ${secret}\n`, () => resolve()));
