// `npm run docs`: writes what of docs/ and pipelines/ follows from the code.
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { catalog } from '../activities/catalog.ts';
import { catalogWith } from '../activities/custom/step-files.ts';
import { pipelineSchema } from '../language/editor-schema.ts';
import { renderArguments } from './arguments-page.ts';
import { renderDiagnostics } from './diagnostics-page.ts';
import { formatted, withSections } from './reference-page.ts';

const pathOf = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

const reference = pathOf('./pipeline-reference.md');
await writeFile(reference, await withSections(await readFile(reference, 'utf8'), reference));
const argumentsPage = pathOf('./training-arguments.md');
await writeFile(argumentsPage, await formatted(renderArguments(), argumentsPage));
const diagnosticsPage = pathOf('./diagnostics.md');
await writeFile(diagnosticsPage, await formatted(renderDiagnostics(), diagnosticsPage));
// The schemas that the modelines of the examples name.
const own = pathOf('../pipelines/custom/clean-text.ts');
const schemas = {
  '../pipelines/pipeline.schema.json': catalog,
  '../pipelines/custom/pipeline.schema.json': await catalogWith([{ name: own, path: own }]),
};
for (const [name, kinds] of Object.entries(schemas)) {
  const path = pathOf(name);
  await writeFile(path, await formatted(JSON.stringify(pipelineSchema(kinds)), path));
}
