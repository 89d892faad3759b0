import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { statusFailure } from '../../../training/runtime/ort-status.ts';
import { Failure } from '../../../plan/failures.ts';
import { allocateTensorData, loadRuntime } from '../../../training/runtime/runtime.ts';
import { smallModel, unaryModel } from './small-model.ts';

test('computes into the memory of the caller, on shared memory, without a copy', async () => {
  const runtime = loadRuntime();
  const session = runtime.createSession(unaryModel('Neg'), { threads: 2 });
  // Two halves of one WebAssembly memory, as training keeps its state.
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const x = new Float32Array(memory.buffer, 0, 1000);
  const y = new Float32Array(memory.buffer, 4096, 1000);
  x.forEach((_, i) => (x[i] = i));
  const tensor = { elementType: 'float32', shape: [1000] } as const;
  const input = runtime.createTensor({ ...tensor, data: x });
  const output = runtime.createTensor({ ...tensor, data: y });
  await session.run({ x: input }, { y: output });
  expect([y[0], y[1], y[999]]).toEqual([-0, -1, -999]);
  x[1] = 50;
  await session.run({ x: input }, { y: output });
  expect(y[1]).toBe(-50);
  [input, output, session].forEach((owned) => owned.release());
});

test('keeps the event loop free while it runs', async () => {
  const runtime = loadRuntime();
  const session = runtime.createSession(unaryModel('Exp'), { threads: 1 });
  const shape = [4_000_000];
  const x = runtime.createTensor({
    elementType: 'float32',
    shape,
    data: allocateTensorData('float32', 4_000_000),
  });
  const y = runtime.createTensor({
    elementType: 'float32',
    shape,
    data: allocateTensorData('float32', 4_000_000),
  });
  const order: string[] = [];
  const run = session.run({ x }, { y }).then(() => order.push('run'));
  await new Promise((resolve) => setImmediate(resolve)).then(() => order.push('loop'));
  await run;
  expect(order).toEqual(['loop', 'run']);
  [x, y, session].forEach((owned) => owned.release());
});

test('1,000 runs leave no memory behind', async () => {
  const runtime = loadRuntime();
  const session = runtime.createSession(unaryModel('Neg'), { threads: 1 });
  const shape = [64 * 1024];
  const data = allocateTensorData('float32', 64 * 1024);
  const run = async (): Promise<void> => {
    const x = runtime.createTensor({ elementType: 'float32', shape, data });
    const y = runtime.createTensor({ elementType: 'float32', shape, data });
    await session.run({ x }, { y });
    x.release();
    y.release();
  };
  for (let i = 0; i < 200; i++) await run();
  const before = process.memoryUsage.rss();
  for (let i = 0; i < 1000; i++) await run();
  // One tensor of 256 KiB kept from each run would be 250 MiB.
  expect(process.memoryUsage.rss() - before).toBeLessThan(50 * 2 ** 20);
  session.release();
});

test.skipIf(process.platform !== 'linux')(
  'a released session takes its threads along',
  async () => {
    const threads = async (): Promise<number> => (await readdir('/proc/self/task')).length;
    const cycle = (): void =>
      loadRuntime().createSession(unaryModel('Neg'), { threads: 3 }).release();
    cycle();
    const before = await threads();
    for (let i = 0; i < 20; i++) cycle();
    expect(await threads()).toBe(before);
  },
);

test.each([
  {
    what: 'a graph that is not one',
    act: () => loadRuntime().createSession(new Uint8Array([1, 2, 3]), { threads: 1 }),
    message:
      'ONNX Runtime failed compiling a graph: Failed to load model because protobuf parsing failed. [INVALID_PROTOBUF]',
  },
  {
    what: 'an input that the graph does not have',
    act: async () => {
      const runtime = loadRuntime();
      const session = runtime.createSession(unaryModel('Neg'), { threads: 1 });
      const data = allocateTensorData('float32', 1);
      const a = runtime.createTensor({ elementType: 'float32', shape: [1], data });
      await session.run({ a }, { y: a });
    },
    message: 'ONNX Runtime failed running a graph: Invalid input name: a [INVALID_ARGUMENT]',
  },
])('says what ONNX Runtime refuses: $what', async ({ act, message }) => {
  await expect((async () => act())()).rejects.toMatchObject({
    name: 'Failure',
    type: 'Internal',
    message,
  });
});

test.each(['Failed to allocate memory for requested buffer of size 1024', 'std::bad_alloc'])(
  'memory that runs out is OutOfMemory: %s',
  (message) => {
    expect(statusFailure('RUNTIME_EXCEPTION', message, 'running a graph')).toMatchObject({
      type: 'OutOfMemory',
      message: `ONNX Runtime failed running a graph: ${message} [RUNTIME_EXCEPTION]; lower per_device_train_batch_size or max_length, or use a worker with more memory`,
    });
  },
);

test('a graph too big for the memory is OutOfMemory', async () => {
  const runtime = loadRuntime();
  const nodes = [
    ['ConstantOfShape', ['x'], 'zeros'],
    ['Size', ['zeros'], 'y'],
  ] as const;
  const model = smallModel([['x', 'int64']], nodes, ['y', 'int64']);
  const session = runtime.createSession(model, { threads: 1 });
  const elements = allocateTensorData('int64', 1);
  elements[0] = 2n ** 50n;
  const x = runtime.createTensor({ elementType: 'int64', shape: [1], data: elements });
  const size = allocateTensorData('int64', 1);
  const y = runtime.createTensor({ elementType: 'int64', shape: [], data: size });
  await expect(session.run({ x }, { y })).rejects.toMatchObject({ type: 'OutOfMemory' });
  [x, y, session].forEach((owned) => owned.release());
});

test('the version and the digest of the library can be read', async () => {
  const runtime = loadRuntime();
  expect(runtime.version).toMatch(/^1\.\d+\.\d+$/);
  const bytes = await readFile(runtime.libraryPath);
  const digest = createHash('sha256').update(bytes).digest('hex');
  expect(await runtime.libraryDigest()).toBe(`sha256:${digest}`);
});

test('memory that the system refuses is a failure with a remedy', () => {
  expect(() => allocateTensorData('float32', 2 ** 45)).toThrow(
    new Failure(
      'OutOfMemory',
      'a tensor needs 131072.0 GiB, and the system refused them; use a worker with more memory or a smaller model',
    ),
  );
});
