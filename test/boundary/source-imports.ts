import { readFileSync, readdirSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join, relative } from 'node:path';
import { PROJECT_ROOT } from '../../setup/dependencies.mjs';

export interface SourceImport {
  /** Importing file, relative to the project's folder. */
  readonly from: string;
  /** Imported file of ours relative to the project's folder, name of an npm package, or `node`. */
  readonly to: string;
  readonly kind: 'own' | 'package' | 'node';
  readonly typeOnly: boolean;
}

/** Every import of the files below a folder: static, dynamic, of types, and re-exports. */
export function importsOfFolder(folder: string): SourceImport[] {
  return sourceFiles(folder).flatMap((file) => importsOf(file, readFileSync(file, 'utf8')));
}

export function sourceFiles(folder: string): string[] {
  return readdirSync(join(PROJECT_ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(ts|mjs)$/.test(name) && !name.includes('node_modules'))
    .map((name) => join(PROJECT_ROOT, folder, name));
}

const STATIC = /^\s*(?:import|export)\s+(type\s)?[^'";]*?\bfrom\s+'([^']+)'/gm;
const FOR_EFFECT = /^\s*import\s+'([^']+)'/gm;
const DYNAMIC = /\bimport\(\s*'([^']+)'/g;

/** The imports of one file. Prettier has made their form uniform: single quotes, each at a line's start. */
export function importsOf(file: string, source: string): SourceImport[] {
  const found = [
    ...[...source.matchAll(STATIC)].map(([, type, name]) => ({
      name,
      typeOnly: type !== undefined,
    })),
    ...[...source.matchAll(FOR_EFFECT)].map(([, name]) => ({ name, typeOnly: false })),
    ...[...source.matchAll(DYNAMIC)].map(([, name]) => ({ name, typeOnly: false })),
  ];
  return found.map(({ name = '', typeOnly }) => ({
    from: relative(PROJECT_ROOT, file),
    ...target(file, name),
    typeOnly,
  }));
}

function target(file: string, name: string): Pick<SourceImport, 'to' | 'kind'> {
  if (name.startsWith('.'))
    return { kind: 'own', to: relative(PROJECT_ROOT, join(file, '..', name)) };
  if (name.startsWith('node:') || builtinModules.includes(name))
    return { kind: 'node', to: 'node' };
  const parts = name.split('/');
  return { kind: 'package', to: parts.slice(0, name.startsWith('@') ? 2 : 1).join('/') };
}
