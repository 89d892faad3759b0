import type { Reference } from '../../plan/expressions.ts';
import { quote } from '../located.ts';
import type { Pipeline } from '../pipeline.ts';
import type { Reporter } from '../reporter.ts';
import type { Range } from '../source-text.ts';
import { closest } from '../suggestion.ts';
import type { TemplateReader } from '../template.ts';

/**
 * Rule `unused-param`: a param that no expression reads, so that giving it changes nothing. In a file
 * with other mistakes than names that are not there nobody can know what is read.
 */
export function checkUnusedParams(
  { params }: Pipeline,
  templates: TemplateReader,
  reporter: Reporter,
): void {
  if (params.size === 0 || reporter.hasErrorsBeside('reference')) return;
  const reads = paramReads(templates);
  if (reads.some(({ name }) => name === undefined)) return;
  const read = new Set(reads.map(({ name }) => name));
  const unknown = reads.filter(({ name = '' }) => !params.has(name));
  for (const [name, { range }] of params) {
    if (read.has(name)) continue;
    const meant = unknown.find((each) => closest(each.name ?? '', [name]) === name);
    const remedy =
      meant === undefined
        ? `remove it, or read it as \${{ params.${name} }}`
        : `did you mean it by ${quote(meant.text)} in line ${reporter.source.lineOf(meant.range().start)}?`;
    reporter.hint('unused-param', range, `param ${quote(name)} is never read; ${remedy}`);
  }
}

interface ParamRead {
  /** Undefined where all of them are read, or one that only the run knows. */
  readonly name: string | undefined;
  readonly text: string;
  readonly range: () => Range;
}

function paramReads(templates: TemplateReader): readonly ParamRead[] {
  return [...templates.expressions()].flatMap(({ expression, rangeOf }) =>
    expression.references
      .filter(({ context }) => context === 'params')
      .map((reference) => ({
        name: nameOf(reference),
        text: expression.text.slice(reference.start, reference.end),
        range: () => rangeOf(reference),
      })),
  );
}

function nameOf({ path: [first] }: Reference): string | undefined {
  return first?.kind === 'name' ? first.name : undefined;
}
