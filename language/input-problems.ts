import { z } from 'zod';
import { isWithin } from '../plan/json.ts';
import { type InputPath, RunTimeValue, type StepInputs } from './step-inputs.ts';

/** What a kind's schema finds in the inputs of a step, without the words. */
export type InputProblem =
  | {
      readonly kind: 'missing';
      readonly path: InputPath;
      /** What the schema's author says of it. */
      readonly message?: string;
    }
  | { readonly kind: 'unknown'; readonly path: InputPath; readonly key: string }
  | {
      readonly kind: 'invalid';
      readonly path: InputPath;
      readonly found: unknown;
      /** What the schema's author says of it. */
      readonly message?: string;
    }
  /** Code of the kind's author, such as a refinement, failed. */
  | {
      readonly kind: 'threw';
      readonly path: InputPath;
      readonly reason: string;
      readonly cause: unknown;
    };

type Issue = z.core.$ZodIssue;

/** Marks the issues for which a schema has no words of its own. */
const UNWORDED = '\0';

/** Parses inputs; whatever concerns a value that is known at run time only is left out. */
export function inputProblems(schema: z.ZodType, inputs: StepInputs): readonly InputProblem[] {
  try {
    return issuesOf(schema, inputs).flatMap((issue) => problemsOf(issue, [], inputs));
  } catch (error) {
    // A preprocessing function may not expect a RunTimeValue; without one it is the kind's mistake.
    if (inputs.holes.length > 0) return [];
    return [{ kind: 'threw', path: [], reason: String(error), cause: error }];
  }
}

/** The error that zod makes for a person is an Error, whose making takes longer than the parsing. */
const safeParse = z.core._safeParse(z.core.$ZodError);

function issuesOf(schema: z.ZodType, { value }: StepInputs): readonly Issue[] {
  const parsed = safeParse(schema, value, { error: () => UNWORDED, jitless: true });
  return parsed.success ? [] : parsed.error.issues;
}

function problemsOf(issue: Issue, base: InputPath, inputs: StepInputs): readonly InputProblem[] {
  const path = [...base, ...issue.path.map((part) => (typeof part === 'symbol' ? '' : part))];
  if (isAtRunTime(issue, path, inputs)) return [];
  const found = valueAt(inputs.value, path);
  const { message } = issue;
  const words = message !== UNWORDED && { message };
  if (found === undefined) return [{ kind: 'missing', path, ...words }];
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ kind: 'unknown', path, key }));
  }
  if (issue.code === 'invalid_union') return problemsOfUnion(issue, path, inputs);
  return [{ kind: 'invalid', path, found, ...words }];
}

/** Of a union, the problems of the branch that was most likely meant. */
function problemsOfUnion(
  issue: Issue & { code: 'invalid_union' },
  path: InputPath,
  inputs: StepInputs,
): readonly InputProblem[] {
  const branches = issue.errors.map((issues) =>
    issues.flatMap((inner) => problemsOf(inner, path, inputs)),
  );
  const [nearest] = branches
    .filter((problems) => problems.every((problem) => isInside(problem, path)))
    .sort((a, b) => a.length - b.length);
  if (nearest !== undefined) return nearest;
  return [{ kind: 'invalid', path, found: valueAt(inputs.value, path) }];
}

/** The value is of the branch's shape, and something in it is wrong. */
function isInside(problem: InputProblem, path: InputPath): boolean {
  return problem.kind === 'unknown' || problem.path.length > path.length;
}

/** Inside a hole, or said of a value that has a hole in it by a schema's own rule. */
function isAtRunTime(issue: Issue, path: InputPath, { holes }: StepInputs): boolean {
  return holes.some(
    (hole) => isWithin(path, hole.path) || (issue.code === 'custom' && isWithin(hole.path, path)),
  );
}

function valueAt(value: unknown, path: InputPath): unknown {
  return path.reduce<unknown>((current, part) => {
    if (current === null || typeof current !== 'object' || current instanceof RunTimeValue) {
      return undefined;
    }
    return Object.hasOwn(current, part) ? (current as Record<string, unknown>)[part] : undefined;
  }, value);
}
