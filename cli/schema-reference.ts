import { dirname, relative, sep } from 'node:path';
import { pathToFileURL } from 'node:url';

/**
 * How a file names a schema for yaml-language-server, `# yaml-language-server: $schema=REFERENCE`: by the
 * path from where it lies, or by a URL where white space in that path would end it.
 */
export function schemaReference(file: string, schema: string): string {
  const path = relative(dirname(file), schema).replaceAll(sep, '/');
  return /\s/.test(path) ? pathToFileURL(schema).href : path;
}
