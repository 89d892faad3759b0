import { readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nameProblem } from '../../language/checks/name.ts';
import { suggestion } from '../../language/suggestion.ts';
import { CommandError } from '../command-error.ts';
import { printJson, printLines } from '../output.ts';
import { schemaReference } from '../schema-reference.ts';
import { userPath } from '../user-path.ts';

const EXAMPLES = new URL('../../pipelines/', import.meta.url);

/**
 * `retune init [NAME]`: writes NAME.yaml, a copy of an example under that name; exit code 0.
 * @throws CommandError when there is such a file, no such example, or no pipeline may have the name
 */
export async function init(
  given: string,
  { from, json = false }: { from: string; json?: boolean },
): Promise<number> {
  const name = given.replace(/\.ya?ml$/, '');
  const problem = nameProblem(name, 'pipeline');
  if (problem !== undefined) {
    throw new CommandError(`no pipeline may have the name ${JSON.stringify(name)}; ${problem}`);
  }
  const file = `${name}.yaml`;
  const source = withSchemaFrom(renamed(await readExample(from), from, name), userPath(file));
  try {
    await writeFile(userPath(file), source, { flag: 'wx' });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    throw new CommandError(`cannot write '${file}': ${explain(error.code)}`, { cause: error });
  }
  if (json) printJson({ file, from });
  else {
    printLines([
      `wrote ${file}, a copy of pipelines/${from}.yaml`,
      `next: npm run --silent retune -- check ${file}`,
    ]);
  }
  return 0;
}

async function readExample(from: string): Promise<string> {
  const files = await readdir(EXAMPLES);
  const examples = files
    .filter((file) => extname(file) === '.yaml')
    .map((file) => basename(file, '.yaml'));
  if (!examples.includes(from)) {
    throw new CommandError(`there is no example '${from}'; ${suggestion(from, examples)}`);
  }
  return readFile(fileURLToPath(new URL(`${from}.yaml`, EXAMPLES)), 'utf8');
}

/** The example under another name, in the commands of its comments too. */
function renamed(text: string, from: string, name: string): string {
  return text
    .replace(/^name: .*$/m, () => `name: ${isPlain(name) ? name : `'${name}'`}`)
    .replaceAll(/--(workflow|schedule)-id \S+/g, (_, of: string) => `--${of}-id ${name}`)
    .replaceAll(`pipelines/${from}.yaml`, () => `${name}.yaml`)
    .replace('`npm start` runs it; with', 'With');
}

/** An editor finds the schema of this installation from where the copy lies. */
function withSchemaFrom(text: string, file: string): string {
  const schema = fileURLToPath(new URL('pipeline.schema.json', EXAMPLES));
  return text.replace(
    '$schema=./pipeline.schema.json',
    () => `$schema=${schemaReference(file, schema)}`,
  );
}

/** Whether YAML reads it as text without quotes. */
function isPlain(name: string): boolean {
  return /^[A-Za-z][A-Za-z0-9_.-]*$/.test(name) && !/^(true|false|null)$/i.test(name);
}

function explain(code: unknown): string {
  switch (code) {
    case 'EEXIST':
      return 'there is such a file already; choose another name, or remove it';
    case 'EACCES':
      return 'permission denied; run it in a folder that you may write in';
    case 'ENOENT':
      return 'there is no such folder; make it first';
    default:
      return String(code);
  }
}
