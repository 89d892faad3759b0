import type { JsonObject, JsonValue } from '../plan/json.ts';
import { parseParamText } from './params.ts';
import { parseYaml } from './parse.ts';
import { readParams } from './read-pipeline.ts';
import { type PipelineText, readSource } from './source.ts';

export interface ParamTexts {
  /** Typed as the file declares them; a param that it does not declare stays text. */
  readonly params: JsonObject;
  /** Texts that do not fit their declaration, a message each. */
  readonly problems: readonly string[];
}

/**
 * Params as a command line gives them (`-p rows=500`), typed by the file's declarations. What is
 * wrong with the file itself is for `compile` to say.
 */
export function readParamTexts(
  source: PipelineText,
  texts: ReadonlyMap<string, string>,
): ParamTexts {
  const reporter = readSource(source, 'pipeline.yaml');
  const root = reporter.hasErrors ? undefined : parseYaml(reporter);
  const declared = readParams(root?.entries.get('params'), reporter);
  const params = new Map<string, JsonValue>();
  const problems: string[] = [];
  for (const [name, text] of texts) {
    const declaration = declared.get(name)?.declaration;
    const parsed = declaration
      ? parseParamText(declaration, text)
      : ({ ok: true, value: text } as const);
    if (parsed.ok) params.set(name, parsed.value);
    else problems.push(parsed.message);
  }
  return { params: Object.fromEntries(params), problems };
}
