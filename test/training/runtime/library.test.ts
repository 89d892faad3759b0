import { existsSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runtimeLibraryPath } from '../../../training/runtime/library.ts';
import { loadOrtLibrary } from '../../../training/runtime/ort-api.ts';

test('RETUNE_ORT_LIBRARY comes before what is shipped', async () => {
  const shipped = runtimeLibraryPath({ env: {} });
  expect(existsSync(shipped)).toBe(true);
  const file = join(await mkdtemp(join(tmpdir(), 'retune-library-')), 'libonnxruntime.so.1');
  await writeFile(file, 'a library');
  expect(runtimeLibraryPath({ env: { RETUNE_ORT_LIBRARY: file } })).toBe(file);
  expect(runtimeLibraryPath({ env: { RETUNE_ORT_LIBRARY: '' } })).toBe(shipped);
});

test.each([
  {
    what: 'a file that is not there',
    named: '/nowhere/libonnxruntime.so.1',
    problem: 'there is no such file',
  },
  {
    what: 'a relative path',
    named: 'lib/libonnxruntime.so.1',
    problem: 'that is no absolute path',
  },
])('RETUNE_ORT_LIBRARY that names $what is refused', ({ named, problem }) => {
  expect(() => runtimeLibraryPath({ env: { RETUNE_ORT_LIBRARY: named } })).toThrow(
    `RETUNE_ORT_LIBRARY is "${named}", and ${problem}; expected the path of a libonnxruntime, as ` +
      '/opt/onnxruntime/lib/libonnxruntime.so.1; correct it, or unset it for the one that is shipped',
  );
});

test('a machine without ONNX Runtime is told every place that was looked at', () => {
  const search = { platform: 'sunos', processor: 'x64', env: {} };
  expect(() => runtimeLibraryPath(search)).toThrow(
    "training needs ONNX Runtime's library, and found none for sunos-x64; looked at " +
      '$RETUNE_ORT_LIBRARY, which is not set, onnxruntime-node, which ships none for sunos-x64; ' +
      'run "npm ci" again, or let RETUNE_ORT_LIBRARY name a library',
  );
});

test('a file that is no library is refused', async () => {
  const file = join(await mkdtemp(join(tmpdir(), 'retune-library-')), 'libonnxruntime.so.1');
  await writeFile(file, 'no library');
  expect(() => loadOrtLibrary(file)).toThrow(
    /^ONNX Runtime does not load from .*libonnxruntime\.so\.1: .*; on a system with glibc 2\.28 or newer, run "npm ci" again$/,
  );
});
