// @ts-check
// The commands that are to answer at once, as one file of plain JavaScript with V8's code cache beside it: loading
// TypeScript a file at a time takes longer than all that they do. Whatever goes wrong here, exec.mjs loads TypeScript.
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Script, constants } from 'node:vm';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const ENTRY = 'cli/main.ts';
const COMMANDS = ['check'];

/** What the bundle depends on beside its own sources. */
const MAKERS = ['setup/command-bundle.mjs', 'package-lock.json', 'node_modules/.package-lock.json'];

/**
 * @typedef {object} Manifest
 * @property {string} root of the checkout
 * @property {string} node version that made it
 * @property {string} bundle name of its file
 * @property {readonly (readonly [path: string, stamp: string])[]} sources relative to the project's folder
 */

/**
 * Whether a program is one of them. With a person's own step kinds it is not, for those are TypeScript.
 * @param {string} file
 * @param {readonly string[]} args
 */
export function isBundled(file, [command = '', ...options]) {
  const hasOwnKinds = options.some((option) => /^--steps(=|$)/.test(option));
  return file === ENTRY && COMMANDS.includes(command) && !hasOwnKinds;
}

/**
 * The bundle as a function to call, if there is one of the sources as they are now.
 * @param {string} [folder] where bundles are kept
 * @returns {(() => unknown) | null}
 */
export function findBundle(folder = bundleFolder()) {
  try {
    const manifest = /** @type {Manifest} */ (
      JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8'))
    );
    if (manifest.root !== ROOT || manifest.node !== process.version) return null;
    if (!manifest.sources.every(([path, stamp]) => stampOf(path) === stamp)) return null;
    return loadBundle(join(folder, manifest.bundle));
  } catch {
    return null;
  }
}

/**
 * Bundles the sources. Processes may do so at once: files are renamed into place, the manifest last.
 * @param {string} [folder]
 * @returns {Promise<(() => unknown) | null>} as findBundle; null when it could not be made, as in a read-only folder
 */
export async function makeBundle(folder = bundleFolder()) {
  try {
    const { createHash } = await import('node:crypto');
    const { text, inputs } = await bundle();
    const paths = [...inputs, ...MAKERS];
    /** @type {Manifest} */
    const manifest = {
      root: ROOT,
      node: process.version,
      bundle: `${createHash('sha256').update(text).digest('hex').slice(0, 16)}.cjs`,
      sources: paths.map((path) => [path, stampOf(path)]),
    };
    mkdirSync(folder, { recursive: true });
    writeWhole(join(folder, manifest.bundle), text);
    writeWhole(join(folder, 'manifest.json'), JSON.stringify(manifest));
    for (const name of readdirSync(folder)) {
      const isOld = /\.cjs(\.cache)?$/.test(name) && !name.startsWith(manifest.bundle);
      if (isOld) rmSync(join(folder, name), { force: true });
    }
    return findBundle(folder);
  } catch {
    return null;
  }
}

/** One folder a checkout, for several may share their packages. */
function bundleFolder() {
  const checkout = ROOT.replaceAll(/[^A-Za-z0-9]+/g, '-').slice(-100);
  return join(ROOT, 'node_modules', '.cache', 'retune', checkout);
}

/** npm packages of the bundle; others stay where they are. */
const PACKAGES = [
  '@actions/expressions',
  'commander',
  'fastest-levenshtein',
  'picocolors',
  'yaml',
  'zod',
];
/** What is loaded on demand, and belongs to the commands. */
const ON_DEMAND = './error-report.ts';

async function bundle() {
  const { build } = await import('esbuild');
  /** @type {import('esbuild').Plugin} */
  const externals = {
    name: 'externals',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /.*/ }, ({ path, kind }) => {
        if (kind === 'entry-point') return null;
        if (kind === 'dynamic-import') return path === ON_DEMAND ? null : { external: true };
        // Its build for browsers, which does not ask the environment at each token whether to log it.
        if (path === 'yaml') return { path: join(ROOT, 'node_modules/yaml/browser/index.js') };
        const isOurs = path.startsWith('.') || PACKAGES.some((name) => isOf(path, name));
        return isOurs ? null : { external: true };
      });
      // zod writes its messages in English where no other language is set: the other fifty need not be loaded.
      onLoad({ filter: /zod\/v4\/locales\/index\.js$/ }, () => ({ contents: 'export {};' }));
      onLoad({ filter: /\.(ts|mjs)$/ }, ({ path }) => {
        if (path.includes('node_modules')) return null;
        const source = readFileSync(path, 'utf8');
        const contents = path === join(ROOT, ENTRY) ? withCommands(source) : source;
        return { contents: inOneFile(contents, path), loader: path.endsWith('.ts') ? 'ts' : 'js' };
      });
    },
  };
  const { outputFiles, metafile } = await build({
    entryPoints: [join(ROOT, ENTRY)],
    absWorkingDir: ROOT,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    // Names stay: they are in the stacks of errors.
    minifyWhitespace: true,
    minifySyntax: true,
    write: false,
    metafile: true,
    logLevel: 'silent',
    plugins: [externals],
  });
  const inputs = Object.keys(metafile.inputs).filter((path) => !path.includes('node_modules'));
  return { text: outputFiles[0]?.text ?? '', inputs };
}

/**
 * The entry with its commands loaded at once. What is loaded on demand esbuild takes in whole, with all that it needs.
 * @param {string} source
 */
function withCommands(source) {
  return COMMANDS.reduce((text, name) => {
    const file = `'./commands/${name}.ts'`;
    return `import * as ${name}Command from ${file};${text.replace(`await import(${file})`, `${name}Command`)}`;
  }, source);
}

/**
 * A source with its own place written out, and of zod only what it names: the object `z` would hold all of it.
 * @param {string} source
 * @param {string} path
 */
function inOneFile(source, path) {
  return source
    .replaceAll('import.meta.url', JSON.stringify(pathToFileURL(path).href))
    .replace("import { z } from 'zod'", "import * as z from 'zod'");
}

/**
 * @param {string} path
 * @param {string} name
 */
function isOf(path, name) {
  return path === name || path.startsWith(`${name}/`);
}

/** @param {string} file */
function loadBundle(file) {
  const source = readFileSync(file, 'utf8');
  const cached = readIfThere(`${file}.cache`);
  const head = '(function (exports, require, module, __filename, __dirname) {';
  const script = new Script(`${head}${source}\n})`, {
    filename: file,
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    ...(cached !== null && { cachedData: cached }),
  });
  const run = script.runInThisContext();
  return () => {
    // Another version of V8 refuses it. What has run by the end is in it, too.
    if (cached === null || script.cachedDataRejected === true) {
      process.once('exit', () => keepIfPossible(`${file}.cache`, () => script.createCachedData()));
    }
    const module = { exports: {} };
    run(module.exports, createRequire(file), module, file, dirname(file));
  };
}

/**
 * @param {string} file
 * @param {() => Buffer} data
 */
function keepIfPossible(file, data) {
  try {
    writeWhole(file, data());
  } catch {
    // Only slower.
  }
}

/**
 * @param {string} file
 * @param {string | Buffer} content
 */
function writeWhole(file, content) {
  const partial = `${file}.${process.pid}`;
  writeFileSync(partial, content);
  renameSync(partial, file);
}

/** @param {string} file */
function readIfThere(file) {
  try {
    return readFileSync(file);
  } catch {
    return null;
  }
}

/**
 * Changes with every writing of a file, whatever time its writer gives it.
 * @param {string} path
 */
function stampOf(path) {
  const { size, ctimeMs, ino } = statSync(join(ROOT, path));
  return `${size} ${ctimeMs} ${ino}`;
}
