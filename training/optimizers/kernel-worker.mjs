// A thread of the kernel pool: runs exports of its modules on shared memories.
// Plain JavaScript: a worker thread does not go through the TypeScript loader.
import { parentPort, workerData } from 'node:worker_threads';

const { modules, memories } = workerData;
const kernels = memories.map((memory) =>
  Object.assign(
    {},
    ...modules.map((module) => new WebAssembly.Instance(module, { state: { memory } }).exports),
  ),
);

parentPort.on('message', (calls) => {
  for (const { shard, kernel, args } of calls) kernels[shard][kernel](...args);
  parentPort.postMessage('done');
});
