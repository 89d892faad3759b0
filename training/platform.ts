import { readFileSync } from 'node:fs';
import { arch, platform } from 'node:os';
import type { Device } from './devices/device.ts';
import type { Runtime } from './runtime/runtime.ts';

/** What decides the bits of a training besides its inputs. Equal platforms compute equal bits. */
export interface Platform {
  /** Digest of ONNX Runtime's library. */
  readonly library: string;
  /** What computes. */
  readonly provider: Device;
  /** As `x64-avx512`: the widest class that ONNX Runtime's kernels tell apart. */
  readonly instructionSet: string;
}

export async function describePlatform(
  runtime: Runtime,
  provider: Device = 'cpu',
): Promise<Platform> {
  const library = await runtime.libraryDigest();
  return { library, provider, instructionSet: instructionSet() };
}

/** Names of what differs, as `instructionSet x64-avx2 → x64-avx512`; empty when nothing does. */
export function platformChanges(from: Platform, to: Platform): readonly string[] {
  return (['library', 'provider', 'instructionSet'] as const)
    .filter((part) => from[part] !== to[part])
    .map((part) => `${part} ${from[part]} → ${to[part]}`);
}

/** Flags of /proc/cpuinfo that choose a kernel of MLAS, the widest first, by processor. */
const FLAGS: { readonly [processor: string]: readonly (readonly [string, string])[] } = {
  x64: [
    ['avx512f', 'avx512'],
    ['fma', 'avx2'],
    ['avx', 'avx'],
  ],
  arm64: [
    ['sme', 'sme'],
    ['sve', 'sve'],
  ],
};

function instructionSet(): string {
  const processor = arch();
  const flags = platform() === 'linux' ? linuxProcessorFlags() : new Set<string>();
  const known = FLAGS[processor]?.find(([flag]) => flags.has(flag));
  return `${processor}-${known?.[1] ?? (platform() === 'linux' ? 'base' : platform())}`;
}

function linuxProcessorFlags(): ReadonlySet<string> {
  const line = /^(?:flags|Features)\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'));
  return new Set(line?.[1]?.trim().split(/\s+/));
}
