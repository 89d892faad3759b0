import { catalog as built } from '../../activities/catalog.ts';
import type { Catalog } from '../../language/catalog.ts';
import type { JsonObject } from '../../plan/json.ts';
import { catalog as declared } from './catalog.ts';

/**
 * How a golden file wants to be compiled. A line `# params: {...}` gives the submission's params. A
 * file called example, and one with a line `# kinds: built`, uses the kinds of this build.
 */
export function goldenOptions(
  name: string,
  text: string,
): { readonly params: JsonObject; readonly catalog: Catalog } {
  const params = /^# params: (.*)\n/m.exec(text)?.[1] ?? '{}';
  const isBuilt = /^example\b/.test(name) || /^# kinds: built\n/m.test(text);
  return { params: JSON.parse(params) as JsonObject, catalog: isBuilt ? built : declared };
}
