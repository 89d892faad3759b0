// @ts-check
// Node's module hooks (node:module, register) for files with step kinds of one's own: the import of
// `retune/steps` leads to this build's module, and a compiled file is loaded from memory.

/** @typedef {{ entry: string, modules: Record<string, string> }} HookData */

/** @type {HookData} */
let data = { entry: '', modules: {} };

/** @param {HookData} given */
export function initialize(given) {
  data = given;
}

/** @type {import('node:module').ResolveHook} */
export function resolve(specifier, context, next) {
  if (specifier === 'retune/steps') return next(data.entry, context);
  if (!Object.hasOwn(data.modules, specifier)) return next(specifier, context);
  return { url: specifier, format: 'module', shortCircuit: true };
}

/** @type {import('node:module').LoadHook} */
export function load(url, context, next) {
  const source = Object.hasOwn(data.modules, url) ? data.modules[url] : undefined;
  if (source === undefined) return next(url, context);
  return { format: 'module', source, shortCircuit: true };
}
