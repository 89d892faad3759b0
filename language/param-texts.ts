import type { JsonObject, JsonValue } from '../plan/json.ts';
import { unknownParam } from './checks/param-value.ts';
import { parseParamText } from './params.ts';
import { parseYaml } from './parse.ts';
import { Patterns } from './pattern.ts';
import { readParams } from './read-pipeline.ts';
import { type PipelineText, readSource } from './source.ts';

export interface ParamTexts {
  /** Typed as the file declares them; a param that it does not declare stays text. */
  readonly params: JsonObject;
  /** Texts that do not fit their declaration, a message each, and then also unknown names. */
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
  const root = reporter.attempt(() => (reporter.hasErrors ? undefined : parseYaml(reporter)));
  const params = root?.entries.get('params');
  const patterns = new Patterns();
  const declared = reporter.attempt(() => readParams(params, reporter, patterns)) ?? new Map();
  const typed = new Map<string, JsonValue>();
  const unknown: string[] = [];
  const misfits: string[] = [];
  for (const [name, text] of texts) {
    if (root !== undefined && !declared.has(name)) unknown.push(unknownParam(name, declared));
    const declaration = declared.get(name)?.declaration;
    const parsed = declaration
      ? parseParamText(declaration, text, patterns)
      : ({ ok: true, value: text } as const);
    if (parsed.ok) typed.set(name, parsed.value);
    else misfits.push(parsed.message);
  }
  // An unknown name alone is a diagnostic with a place; beside a misfit nothing is compiled.
  const problems = misfits.length === 0 ? [] : [...unknown, ...misfits];
  return { params: Object.fromEntries(typed), problems };
}
