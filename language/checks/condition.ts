import { conditionText, templateSegments } from '../../plan/expressions.ts';
import type { LocatedEntry } from '../located.ts';
import { describeFound, plainText, toJson, valueRange } from '../located.ts';
import type { Condition } from '../pipeline.ts';
import type { Reporter } from '../reporter.ts';
import type { TemplateReader } from '../template.ts';
import { reportUnclosed } from './expression.ts';

/** Rule `condition`: an `if` is one expression, with or without `${{ }}` around it. */
export function readCondition(
  entry: LocatedEntry | undefined,
  templates: TemplateReader,
  reporter: Reporter,
): Condition | undefined {
  if (entry === undefined) return undefined;
  const { value } = entry;
  const found = toJson(value);
  if (value.kind !== 'scalar' || found === null || found === '') {
    const message = `'if' is ${describeFound(found)}; expected an expression such as steps.score.outputs.metrics.accuracy >= 0.6`;
    reporter.error('condition', valueRange(entry), message);
    return undefined;
  }
  const text = conditionText(plainText(found));
  if (templateSegments(text).some((part) => part.kind === 'expression' && !part.isClosed)) {
    reportUnclosed(value.range, reporter);
    return undefined;
  }
  if (text.includes('${{')) {
    const message =
      "'if' has text around '${{ }}', which makes it always true; put the whole condition inside one '${{ }}'";
    reporter.error('condition', value.range, message);
    return undefined;
  }
  const expression = templates.readCondition(value, text);
  return { scalar: value, text, ...(expression !== undefined && { expression }) };
}
