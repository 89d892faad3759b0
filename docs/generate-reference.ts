// `npm run docs`: writes the parts of docs/ that follow from the code.
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { withKinds } from './reference-page.ts';

const path = fileURLToPath(new URL('./pipeline-reference.md', import.meta.url));
await writeFile(path, await withKinds(await readFile(path, 'utf8'), path));
