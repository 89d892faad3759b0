import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { buildSync, type BuildFailure, type Message, type Metafile } from 'esbuild';
import { excerptOf, printable } from '../../language/excerpt.ts';
import { sha256OfJson } from '../../store/canonical-json.ts';
import { StepFileError } from './step-file-error.ts';

/** A file that `--steps` names. */
export interface StepFile {
  /** Absolute. */
  readonly path: string;
  /** As the person wrote it, for messages. */
  readonly name: string;
}

/** The name that a file with step kinds imports: see module-hooks.mjs. */
const ENTRY = 'retune/steps';
const OWN_PACKAGE = new URL('../../package.json', import.meta.url);

/**
 * One file with what it imports by relative path: compiled to one module, which is what runs, and
 * digested as it was written. Packages stay imports; the digest has their names and versions.
 */
export class StepSource {
  /** URL of the compiled module; relative to it packages are found as from the file itself. */
  readonly url: string;
  readonly code: string;
  /** sha256, as hex, of every file and of the versions of every package. */
  readonly digest: string;
  readonly file: StepFile;
  /** Absolute paths of the file and what it imports. */
  readonly #paths: readonly string[];

  /** @throws StepFileError for a file that cannot be read or parsed, and for an import that leads nowhere */
  constructor(file: StepFile) {
    const { code, metafile } = compile(file);
    const folder = dirname(file.path);
    const paths = Object.keys(metafile.inputs).sort();
    const digests = paths.map((path) => [path, digestOf(resolve(folder, path))] as const);
    this.file = file;
    this.url = `${pathToFileURL(file.path).href}.mjs`;
    this.code = code;
    this.digest = sha256OfJson({
      files: Object.fromEntries(digests),
      packages: packageVersions(file, metafile),
    });
    this.#paths = paths.map((path) => resolve(folder, path));
  }

  /** `my-steps.ts:12:9`: the innermost place of a stack that lies in this source; else the file's name. */
  placeOf(stack: string | undefined): string {
    for (const line of stack?.split('\n') ?? []) {
      for (const path of this.#paths) {
        const [, place] = line.split(path);
        const at = /^:\d+:\d+/.exec(place ?? '') ?? /^:\d+:\d+/.exec(urlPlace(line, path));
        if (at !== null) return `${this.#nameOf(path)}${at[0]}`;
      }
    }
    return this.file.name;
  }

  /** A path as the person would write it, who wrote that of the file. */
  #nameOf(path: string): string {
    const { path: own, name } = this.file;
    return path === own ? name : join(dirname(name), relative(dirname(own), path));
  }
}

function urlPlace(line: string, path: string): string {
  return line.split(pathToFileURL(path).href)[1] ?? '';
}

function compile(file: StepFile): { code: string; metafile: Metafile } {
  try {
    const { outputFiles, metafile } = buildSync({
      entryPoints: [file.path],
      absWorkingDir: dirname(file.path),
      outfile: `${file.path}.mjs`,
      write: false,
      bundle: true,
      packages: 'external',
      // A mounted file may be a link to one whose folder changes.
      preserveSymlinks: true,
      ...{ format: 'esm', platform: 'node', target: 'node20' },
      ...{ sourcemap: 'inline', sourcesContent: false, metafile: true },
      ...{ tsconfigRaw: '{}', logLevel: 'silent' },
    });
    return { code: outputFiles[0]?.text ?? '', metafile };
  } catch (error) {
    if (!isBuildFailure(error)) throw error;
    const messages = error.errors.map((message) => compileProblem(message, file));
    throw new StepFileError(messages.join('\n'), { cause: error });
  }
}

function isBuildFailure(error: unknown): error is BuildFailure {
  return error instanceof Error && 'errors' in error && Array.isArray(error.errors);
}

/** A problem of the compiler in the form of a diagnostic. */
function compileProblem({ text, location }: Message, { name }: StepFile): string {
  const remedy = text.startsWith('Could not resolve') ? '; there is no such file' : '';
  const said = `${text.charAt(0).toLowerCase()}${text.slice(1)}${remedy}`;
  if (location === null) return `${name}: ${said}`;
  const { lineText, line } = location;
  // Columns and lengths are bytes of UTF-8.
  const bytes = Buffer.from(lineText);
  const column = bytes.subarray(0, location.column).toString().length;
  const marked = bytes.subarray(location.column, location.column + location.length).toString();
  const file = join(dirname(name), location.file);
  return [
    printable(`${file}:${line}:${column + 1}: ${said}`),
    ...excerptOf(lineText, column, marked.length),
  ].join('\n');
}

function digestOf(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

/** Of what the compiled module imports; found as Node finds it, from the file's folder upwards. */
function packageVersions(file: StepFile, metafile: Metafile): Readonly<Record<string, string>> {
  const imports = Object.values(metafile.outputs).flatMap((output) => output.imports);
  const packages = imports.map(({ path }) => path).filter((path) => !isBuiltin(path));
  const versions: Record<string, string> = {};
  for (const specifier of [...new Set(packages)].sort()) {
    const name = packageName(specifier);
    const version = specifier === ENTRY ? readVersion(OWN_PACKAGE) : versionFrom(file.path, name);
    if (version === undefined) {
      throw new StepFileError(
        `${file.name}: imports '${specifier}', and no package '${name}' is installed there; ` +
          `run npm install ${name} in ${dirname(file.path)}, or remove the import`,
      );
    }
    versions[name] = version;
  }
  return versions;
}

function packageName(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

function versionFrom(path: string, name: string): string | undefined {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    const isInside = basename(folder) === 'node_modules';
    const file = join(folder, isInside ? '' : 'node_modules', name, 'package.json');
    const version = readVersion(file);
    if (version !== undefined || folder === dirname(folder)) return version;
  }
}

/** Undefined when there is no such package.json. */
function readVersion(file: string | URL): string | undefined {
  try {
    const { version = '' } = JSON.parse(readFileSync(file, 'utf8')) as { version?: string };
    return version;
  } catch (error) {
    if (error instanceof Error && 'code' in error) return undefined;
    throw error;
  }
}
