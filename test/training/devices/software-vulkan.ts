import { existsSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Vulkan's loader, and SwiftShader's description: a Vulkan driver that computes on the CPU. */
const FILES = ['libvulkan.so.1', 'vk_swiftshader_icd.json'] as const;

/** Variables of a process in which WebGPU finds SwiftShader. */
export interface SoftwareVulkan {
  readonly LD_LIBRARY_PATH: string;
  readonly VK_ICD_FILENAMES: string;
}

/**
 * SwiftShader as browsers bring it along: in $RETUNE_TEST_VULKAN, in Debian's chromium-common, or in
 * what Playwright installed. Undefined where there is none.
 */
export function softwareVulkan(): SoftwareVulkan | undefined {
  const folder = [
    ...(process.env['RETUNE_TEST_VULKAN'] === undefined ? [] : [process.env['RETUNE_TEST_VULKAN']]),
    '/usr/lib/chromium',
    ...playwrightFolders(),
  ].find((candidate) => FILES.every((file) => existsSync(join(candidate, file))));
  if (folder === undefined) return undefined;
  return { LD_LIBRARY_PATH: folder, VK_ICD_FILENAMES: join(folder, 'vk_swiftshader_icd.json') };
}

function playwrightFolders(): readonly string[] {
  const cache = join(homedir(), '.cache', 'ms-playwright');
  if (!existsSync(cache)) return [];
  return readdirSync(cache)
    .filter((name) => name.startsWith('chromium'))
    .flatMap((name) => readdirSync(join(cache, name)).map((part) => join(cache, name, part)));
}
