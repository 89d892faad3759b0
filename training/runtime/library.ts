import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { Failure } from '../../plan/failures.ts';

/** Names the ONNX Runtime library to load, in place of those that are looked for. */
export const LIBRARY_VARIABLE = 'RETUNE_ORT_LIBRARY';

/** Where onnxruntime-node keeps ONNX Runtime's shared library, by platform and processor. */
const SHIPPED: { readonly [target: string]: string } = {
  'linux-x64': 'linux/x64/libonnxruntime.so.1',
  'linux-arm64': 'linux/arm64/libonnxruntime.so.1',
  'darwin-arm64': 'darwin/arm64/libonnxruntime.1.dylib',
};

/** Where a build of ONNX Runtime is installed for a whole system, by platform. */
const INSTALLED: { readonly [platform: string]: readonly string[] } = {
  linux: [
    '/opt/onnxruntime/lib/libonnxruntime.so.1',
    '/usr/local/lib/libonnxruntime.so.1',
    '/usr/lib/libonnxruntime.so.1',
  ],
  darwin: ['/opt/homebrew/lib/libonnxruntime.dylib', '/usr/local/lib/libonnxruntime.dylib'],
};

export interface LibrarySearch {
  /** Node's names of the platform and the processor; this machine's when left out. */
  readonly platform?: string;
  readonly processor?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/**
 * Absolute path of the ONNX Runtime library to load: what $RETUNE_ORT_LIBRARY names; else what
 * onnxruntime-node ships, which computes on CUDA once the package's post-install has put
 * libonnxruntime_providers_cuda.so beside it; else what is installed on the system.
 * @throws DeviceUnavailable with every place that was looked at
 */
export function runtimeLibraryPath(search: LibrarySearch = {}): string {
  const { platform = process.platform, processor = process.arch, env = process.env } = search;
  const named = env[LIBRARY_VARIABLE];
  if (named !== undefined && named !== '') return namedLibrary(named);
  const places = [...shippedLibrary(`${platform}-${processor}`), ...(INSTALLED[platform] ?? [])];
  const found = places.find((place) => path.isAbsolute(place) && existsSync(place));
  if (found !== undefined) return found;
  throw new Failure(
    'DeviceUnavailable',
    `training needs ONNX Runtime's library, and found none for ${platform}-${processor}; looked ` +
      `at ${[`$${LIBRARY_VARIABLE}, which is not set`, ...places].join(', ')}; run "npm ci" ` +
      `again, or let ${LIBRARY_VARIABLE} name a library`,
  );
}

function namedLibrary(named: string): string {
  if (path.isAbsolute(named) && existsSync(named)) return named;
  const what = path.isAbsolute(named) ? 'there is no such file' : 'that is no absolute path';
  throw new Failure(
    'DeviceUnavailable',
    `${LIBRARY_VARIABLE} is "${named}", and ${what}; expected the path of a libonnxruntime, as ` +
      '/opt/onnxruntime/lib/libonnxruntime.so.1; correct it, or unset it for the one that is shipped',
  );
}

/** The package's library, or why it has none, in words that are no path. */
function shippedLibrary(target: string): readonly string[] {
  const file = SHIPPED[target];
  if (file === undefined) return [`onnxruntime-node, which ships none for ${target}`];
  try {
    const require = createRequire(import.meta.url);
    const folder = path.dirname(require.resolve('onnxruntime-node/package.json'));
    return [path.join(folder, 'bin', 'napi-v6', file)];
  } catch {
    return ['onnxruntime-node, which is not installed'];
  }
}

/** `sha256:` and 64 hexadecimal digits of the library's bytes: equal digests compute equal bits. */
export async function runtimeLibraryDigest(library: string): Promise<string> {
  return `sha256:${createHash('sha256')
    .update(await readFile(library))
    .digest('hex')}`;
}
