// `npm run docs`: writes what of docs/ and pipelines/ follows from the code.
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { catalog } from '../activities/catalog.ts';
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
const schema = pathOf('../pipelines/pipeline.schema.json');
await writeFile(schema, await formatted(JSON.stringify(pipelineSchema(catalog)), schema));
