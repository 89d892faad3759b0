import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  openSafetensors,
  writeSafetensors,
  type SafetensorsEntry,
} from '../../../training/weights/safetensors-file.ts';

const fixtures = new URL('../../fixtures/safetensors/', import.meta.url).pathname;
const reference = path.join(fixtures, 'float32.safetensors');
let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'safetensors-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function readAll(file: string): Promise<SafetensorsEntry[]> {
  const opened = await openSafetensors(file);
  const entries: SafetensorsEntry[] = [];
  for (const tensor of opened.tensors) {
    const { name, shape } = tensor;
    // Shared memory, as training keeps its parameters.
    const elements = shape.reduce((product, axis) => product * axis, 1);
    const target = new Float32Array(new SharedArrayBuffer(elements * 4));
    await opened.read(tensor, target);
    entries.push({ name, shape, pieces: [target.subarray(0, 2), target.subarray(2)] });
  }
  await opened.close();
  return entries;
}

test("writes what Hugging Face's library writes, byte for byte", async () => {
  const entries = await readAll(reference);
  expect(entries.map((entry) => entry.name).sort()).toEqual([
    'score.weight',
    'transformer.h.0.ln_1.bias',
    'transformer.wte.weight',
  ]);
  const copy = path.join(folder, 'copy.safetensors');
  await writeSafetensors(copy, entries.toReversed());
  expect((await readFile(copy)).equals(await readFile(reference))).toBe(true);
});

test('float16 and bfloat16 become the float32 numbers that torch makes of them', async () => {
  const opened = await openSafetensors(path.join(fixtures, 'half.safetensors'));
  const values: Record<string, string[]> = {};
  for (const tensor of opened.tensors) {
    if (tensor.dtype === 'I64') continue;
    const target = new Float32Array(12);
    await opened.read(tensor, target);
    values[tensor.name] = Array.from(target, (x) => (Object.is(x, -0) ? '-0' : String(x)));
  }
  await opened.close();
  const torch = JSON.parse(await readFile(path.join(fixtures, 'half.json'), 'utf8'));
  const asNumber = (text: string): string => {
    const value = Number(text.replace('inf', 'Infinity'));
    return Object.is(value, -0) ? '-0' : String(value);
  };
  expect(values).toEqual({ f16: torch.f16.map(asNumber), bf16: torch.bf16.map(asNumber) });
});

test('an element type that cannot be read is refused by name', async () => {
  const file = path.join(fixtures, 'half.safetensors');
  const opened = await openSafetensors(file);
  const tensor = opened.tensors.find(({ name }) => name === 'i64')!;
  await expect(opened.read(tensor, new Float32Array(3))).rejects.toMatchObject({
    type: 'InvalidInput',
    message: `tensor i64 of ${file} has the element type I64; expected one of F32, F16, BF16: convert the model to float32`,
  });
  await opened.close();
});

const withHeader = (header: string): Buffer => {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(Buffer.byteLength(header)));
  return Buffer.concat([length, Buffer.from(header)]);
};

test.each([
  { what: 'an empty file', bytes: Buffer.alloc(0), problem: 'it has 0 bytes, expected at least 8' },
  {
    what: 'text',
    bytes: Buffer.from('version https://git-lfs.github.com/spec/v1'),
    problem: 'its header claims 2336927755350992400 bytes, and the file has 42',
  },
  {
    what: 'a header that is no JSON',
    bytes: withHeader('{"a":'),
    problem: 'its header is not JSON',
  },
  {
    what: 'an entry without offsets',
    bytes: withHeader('{"a":{"dtype":"F32","shape":[2]}}'),
    problem: 'the entry of tensor a is not one',
  },
  {
    what: 'data cut off',
    bytes: withHeader('{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'),
    problem: 'tensor a ends at byte 8 of the data, expected at most 0',
  },
])('refuses $what', async ({ bytes, problem }) => {
  const file = path.join(folder, 'broken.safetensors');
  await writeFile(file, bytes);
  await expect(openSafetensors(file)).rejects.toMatchObject({
    type: 'InvalidInput',
    message: `${file} is not a whole safetensors file: ${problem}; download or save it again`,
  });
});
