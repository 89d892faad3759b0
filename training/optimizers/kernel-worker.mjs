// A thread of the kernel pool: runs exports of kernels.wat on shared memories.
// Plain JavaScript: a worker thread does not go through the TypeScript loader.
import { parentPort, workerData } from 'node:worker_threads';

const instances = workerData.memories.map(
  (memory) => new WebAssembly.Instance(workerData.module, { state: { memory } }).exports,
);

parentPort.on('message', (calls) => {
  for (const { shard, kernel, args } of calls) instances[shard][kernel](...args);
  parentPort.postMessage('done');
});
