import { stat } from 'node:fs/promises';
import { register } from 'node:module';
import { kindName } from '../../language/catalog.ts';
import { quote } from '../../language/located.ts';
import { catalog, type AnyStep } from '../catalog.ts';
import { asStep } from './custom-run.ts';
import { DeclarationError, declarationStack, type CustomStep } from './custom-step.ts';
import { describeValue } from '../schema-problems.ts';
import { StepFileError } from './step-file-error.ts';
import { StepSource, type StepFile } from './step-source.ts';

/**
 * Every step kind of this build, and those that the files declare.
 *
 * @throws StepFileError with what is wrong with any of the files
 */
export async function catalogWith(files: readonly StepFile[]): Promise<readonly AnyStep[]> {
  if (files.length === 0) return catalog;
  const named = new Map(files.map((file) => [file.path, file]));
  const sources = await settled([...named.values()].map(readSource));
  registerHooks(sources);
  const declared = await settled(sources.map(loadSteps));
  return [...catalog, ...distinct(declared.flat()).map(({ step, source }) => asStep(step, source))];
}

/** All results, or all errors in one. */
async function settled<T>(work: readonly Promise<T>[]): Promise<readonly T[]> {
  const results = await Promise.allSettled(work);
  const messages = results.flatMap((result) => {
    if (result.status === 'fulfilled') return [];
    if (result.reason instanceof StepFileError) return [result.reason.message];
    throw result.reason;
  });
  if (messages.length > 0) throw new StepFileError(messages.join('\n'));
  return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
}

async function readSource(file: StepFile): Promise<StepSource> {
  try {
    const found = await stat(file.path);
    if (found.isFile()) return new StepSource(file);
    throw new StepFileError(unreadable(file, 'it is a folder; name the TypeScript file in it'));
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    throw new StepFileError(unreadable(file, explain(error.code)), { cause: error });
  }
}

function unreadable({ name }: StepFile, why: string): string {
  return `cannot read ${quote(name)}, which --steps names: ${why}`;
}

function explain(code: unknown): string {
  switch (code) {
    case 'ENOENT':
      return 'there is no such file; pipelines/custom/ has one to start from';
    case 'ENOTDIR':
      return 'there is no such folder; check the path';
    case 'EACCES':
      return 'permission denied; make it readable';
    default:
      return String(code);
  }
}

function registerHooks(sources: readonly StepSource[]): void {
  const modules = Object.fromEntries(sources.map(({ url, code }) => [url, code]));
  const entry = new URL('./steps.ts', import.meta.url).href;
  register('./module-hooks.mjs', import.meta.url, { data: { entry, modules } });
}

interface Declared {
  readonly step: CustomStep;
  readonly source: StepSource;
}

async function loadSteps(source: StepSource): Promise<readonly Declared[]> {
  const { name } = source.file;
  let module: Readonly<Record<string, unknown>>;
  try {
    module = (await import(source.url)) as typeof module;
  } catch (error) {
    throw new StepFileError(loadProblem(source, error), { cause: error });
  }
  const exported = module['default'];
  if (exported === undefined) throw new StepFileError(`${name}: ${noDefault(module)}`);
  const list: readonly unknown[] = Array.isArray(exported) ? exported : [exported];
  if (list.length === 0) {
    throw new StepFileError(`${name}: the default export is an empty list; put a step into it`);
  }
  return list.map((step, index) => {
    if (isDeclared(step)) return { step, source };
    const what = Array.isArray(exported)
      ? `item ${index} of the default export`
      : 'the default export';
    const remedy = 'expected what defineStep({ ... }) gives, or a list of those';
    throw new StepFileError(`${name}: ${what} is ${describeValue(step)}; ${remedy}`);
  });
}

/** Each problem of a declaration at its place; of another error its message. */
function loadProblem(source: StepSource, error: unknown): string {
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  const problems = error instanceof DeclarationError ? error.problems : [message || 'it threw'];
  return problems.map((problem) => `${source.placeOf(stack)}: ${problem}`).join('\n');
}

function isDeclared(value: unknown): value is CustomStep {
  return declarationStack(value) !== undefined;
}

function noDefault(module: Readonly<Record<string, unknown>>): string {
  const steps = Object.keys(module).filter((name) => isDeclared(module[name]));
  if (steps.length === 0) {
    return 'has no default export; write export default defineStep({ ... })';
  }
  const list = steps.length === 1 ? steps.join('') : `[${steps.join(', ')}]`;
  return `has no default export; write export default ${list}`;
}

/** @throws StepFileError for two declarations of one kind and version */
function distinct(declared: readonly Declared[]): readonly Declared[] {
  const places = new Map<string, string>();
  for (const { step, source } of declared) {
    const name = kindName(step);
    const place = source.placeOf(declarationStack(step));
    const other = places.get(name);
    if (other !== undefined) {
      const remedy = 'give one of them another kind or version';
      throw new StepFileError(`${place}: ${name} is declared at ${other} already; ${remedy}`);
    }
    places.set(name, place);
  }
  return declared;
}
