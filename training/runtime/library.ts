import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { Failure } from '../../plan/failures.ts';

/** Where onnxruntime-node keeps ONNX Runtime's shared library, by platform and processor. */
const LIBRARIES: { readonly [target: string]: string } = {
  'linux-x64': 'linux/x64/libonnxruntime.so.1',
  'linux-arm64': 'linux/arm64/libonnxruntime.so.1',
  'darwin-arm64': 'darwin/arm64/libonnxruntime.1.dylib',
};

/**
 * Absolute path of the ONNX Runtime library for a platform and processor (Node's names).
 * @throws DeviceUnavailable when there is none for this machine, or the package is not installed
 */
export function runtimeLibraryPath(
  platform: string = process.platform,
  processor: string = process.arch,
): string {
  const target = `${platform}-${processor}`;
  const file = LIBRARIES[target];
  if (file === undefined) {
    throw new Failure(
      'DeviceUnavailable',
      `training needs ONNX Runtime, which is not shipped for "${target}"; ` +
        `expected one of ${Object.keys(LIBRARIES).join(', ')}: run the training worker on one of those`,
    );
  }
  const library = path.join(packageFolder(), 'bin', 'napi-v6', file);
  if (!existsSync(library)) {
    throw new Failure(
      'DeviceUnavailable',
      `ONNX Runtime's library is missing: expected ${library}; run "npm ci" again`,
    );
  }
  return library;
}

function packageFolder(): string {
  try {
    const require = createRequire(import.meta.url);
    return path.dirname(require.resolve('onnxruntime-node/package.json'));
  } catch (error) {
    throw new Failure(
      'DeviceUnavailable',
      'the package onnxruntime-node is not installed; run "npm ci" again',
      { cause: error },
    );
  }
}

/** `sha256:` and 64 hexadecimal digits of the library's bytes: equal digests compute equal bits. */
export async function runtimeLibraryDigest(library: string): Promise<string> {
  return `sha256:${createHash('sha256')
    .update(await readFile(library))
    .digest('hex')}`;
}
