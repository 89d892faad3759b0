import { quote } from '../located.ts';
import type { Reporter } from '../reporter.ts';
import type { Range } from '../source-text.ts';

export const MAX_LENGTH = 100;

/** What a name is for, as messages say it, and the form it has. */
export const NAME_FORMS = {
  pipeline: { pattern: /^[A-Za-z0-9][A-Za-z0-9_.-]*$/, expected: "letters, digits, '-', '_', '.'" },
  step: {
    pattern: /^[A-Za-z_][A-Za-z0-9_-]*$/,
    expected: "a letter, then letters, digits, '_', '-'",
  },
  param: {
    pattern: /^[A-Za-z_][A-Za-z0-9_-]*$/,
    expected: "a letter, then letters, digits, '_', '-'",
  },
  env: {
    pattern: /^[A-Za-z_][A-Za-z0-9_-]*$/,
    expected: "a letter, then letters, digits, '_', '-'",
  },
  matrix: {
    pattern: /^[A-Za-z_][A-Za-z0-9_-]*$/,
    expected: "a letter, then letters, digits, '_', '-'",
  },
  output: {
    pattern: /^[A-Za-z_][A-Za-z0-9_-]*$/,
    expected: "a letter, then letters, digits, '_', '-'",
  },
} as const;

/** Rule `name`: names that expressions, task queues and file names can hold. */
export function checkName(
  name: string,
  what: keyof typeof NAME_FORMS,
  range: Range,
  reporter: Reporter,
): boolean {
  const problem = nameProblem(name, what);
  if (problem === undefined) return true;
  const label = what === 'pipeline' ? "'name'" : `${what} name`;
  const found = what === 'pipeline' ? `${label} is ${quote(name)}` : `${label} ${quote(name)}`;
  reporter.error('name', range, `${found}; ${problem}`);
  return false;
}

/** Why a name cannot be one, with the remedy; undefined for one that can. */
export function nameProblem(name: string, what: keyof typeof NAME_FORMS): string | undefined {
  const { pattern, expected } = NAME_FORMS[what];
  if (!pattern.test(name)) return `expected ${expected}${nearest(name, pattern)}`;
  if (name.length > MAX_LENGTH) {
    return `it has ${name.length} characters; expected at most ${MAX_LENGTH}`;
  }
  return name in {} ? 'the name is reserved; choose another' : undefined;
}

function nearest(name: string, pattern: RegExp): string {
  // A longer one is refused anyway, and the pattern of the end is slow on it.
  if (name.length > MAX_LENGTH) return '';
  const made = name
    .trim()
    .replaceAll(/[^A-Za-z0-9_-]+/g, '-')
    .replaceAll(/^[-0-9]+|-+$/g, '');
  return pattern.test(made) ? `; write ${made}` : '';
}

/** Rule `name`: expressions read names whatever their case. */
export function checkDistinctNames(
  names: ReadonlyMap<string, Range>,
  what: 'step' | 'param' | 'matrix',
  reporter: Reporter,
): void {
  const seen = new Map<string, string>();
  for (const [name, range] of names) {
    const lower = name.toLowerCase();
    const other = seen.get(lower);
    if (other === undefined) seen.set(lower, name);
    else {
      const message = `${what} name ${quote(name)}; it differs from ${quote(other)} only by case, which expressions do not see; rename one`;
      reporter.error('name', range, message);
    }
  }
}
