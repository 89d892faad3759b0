import type { StepId } from '../../plan/plan.ts';
import { quote } from '../located.ts';
import type { Step } from '../pipeline.ts';
import type { Reporter } from '../reporter.ts';
import type { LocatedExpression } from '../template.ts';

/**
 * Rule `repeated-need`: a step in `needs` that is there already, or whose outputs or result the same
 * step reads. An order that follows through other steps is no repetition: of those needs, too, each
 * has to succeed.
 */
export function checkRepeatedNeeds(
  { needs }: Step,
  expressions: readonly LocatedExpression[],
  reporter: Reporter,
): void {
  if (needs.length === 0) return;
  const read = readsOf(expressions);
  const named = new Set<StepId>();
  for (const { id, range } of needs) {
    const reader = read.get(id);
    if (named.has(id)) {
      reporter.hint('repeated-need', range, `${quote(id)} is in 'needs' already; remove it`);
    } else if (reader !== undefined) {
      const message = `${quote(id)} in 'needs' repeats what '${reader}' says already; remove it`;
      reporter.hint('repeated-need', range, message);
    }
    named.add(id);
  }
}

/** The steps that expressions read, with the text that does so first. */
function readsOf(expressions: readonly LocatedExpression[]): ReadonlyMap<StepId, string> {
  const found = new Map<StepId, string>();
  for (const { expression } of expressions) {
    for (const { context, path, start, end } of expression.references) {
      const [first] = path;
      if (context !== 'steps' || first?.kind !== 'name' || found.has(first.name)) continue;
      found.set(first.name, expression.text.slice(start, end));
    }
  }
  return found;
}
