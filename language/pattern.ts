import { createRequire } from 'node:module';
import type * as re2 from 're2js';
import { quote } from './located.ts';

const MAX_LENGTH = 1000;
/** Each character of a text takes up to so many steps. */
const MAX_SIZE = 2000;

/** Repetitions written out; RE2 makes fewer instructions of some. */
const MAX_WRITTEN_OUT = 20 * MAX_SIZE;
/** Of all patterns of a file together, about two seconds. */
const MAX_STEPS = 20_000_000;
/** Compiling takes as long as so many steps for each character and each instruction. */
const COMPILE_STEPS = 300;
/** Each character of a text takes so many beside those of the instructions. */
const CHARACTER_STEPS = 8;
const TOO_MANY_STEPS = `matching the patterns of all params takes more than ${MAX_STEPS} steps; expected fewer or simpler patterns, or shorter texts`;

type Compiled =
  | { readonly ok: true; readonly program: re2.RE2JS }
  | { readonly ok: false; readonly problem: string };

/**
 * The patterns of a file's params, each compiled once. They are written in JavaScript's syntax (flag
 * `u`) and matched by RE2, in time linear in the text, and in all at most so many steps: no pattern
 * and no value can hang a worker.
 */
export class Patterns {
  readonly #compiled = new Map<string, Compiled>();
  #steps = 0;

  /** What keeps a pattern from being used. */
  problemOf(pattern: string): string | undefined {
    const compiled = this.#compile(pattern);
    return compiled.ok ? undefined : compiled.problem;
  }

  /** What is wrong with a text, when it has to match; `expected` says so. */
  mismatch(pattern: string, text: string, expected: string): string | undefined {
    const compiled = this.#compile(pattern);
    if (!compiled.ok) return compiled.problem;
    const { program } = compiled;
    if (!this.#take(text.length * (program.programSize() + CHARACTER_STEPS))) return TOO_MANY_STEPS;
    return program.matcher(text).find() ? undefined : expected;
  }

  #compile(pattern: string): Compiled {
    const known = this.#compiled.get(pattern);
    if (known !== undefined) return known;
    const compiled = this.#compileNew(pattern);
    this.#compiled.set(pattern, compiled);
    return compiled;
  }

  #compileNew(pattern: string): Compiled {
    const refused = (problem: string): Compiled => ({ ok: false, problem });
    if (pattern.length > MAX_LENGTH) {
      return refused(`it has ${pattern.length} characters; expected at most ${MAX_LENGTH}`);
    }
    if (!this.#take(COMPILE_STEPS * pattern.length)) return refused(TOO_MANY_STEPS);
    const syntax = reasonOf(() => new RegExp(pattern, 'u'));
    if (syntax !== undefined) {
      const reason = syntax.split(': ').at(-1)?.toLowerCase();
      return refused(`expected a regular expression: ${reason}`);
    }
    const size = writtenOut(pattern);
    if (size > MAX_WRITTEN_OUT) return refused(sizeProblem(`about ${size}`));
    if (!this.#take(COMPILE_STEPS * size)) return refused(TOO_MANY_STEPS);
    return compiledByRe2(pattern);
  }

  /** Whether there are so many steps left; they are taken. */
  #take(steps: number): boolean {
    if (this.#steps + steps > MAX_STEPS) return false;
    this.#steps += steps;
    return true;
  }
}

/** @param pattern that JavaScript can read */
function compiledByRe2(pattern: string): Compiled {
  let program: re2.RE2JS | undefined;
  const reason = reasonOf(() => (program = compile(pattern)));
  const found = BACKREFERENCE.exec(pattern)?.[1] ?? (reason && LOOKAROUND.exec(pattern)?.[0]);
  if (found !== undefined) {
    const problem = `it has ${quote(found)}; expected no lookaround and no backreference, which take unbounded time to match`;
    return { ok: false, problem };
  }
  if (program === undefined) {
    const problem = `expected a regular expression that RE2 can match; its reason: ${wordsOf(reason ?? '')}`;
    return { ok: false, problem };
  }
  const size = program.programSize();
  if (size > MAX_SIZE) return { ok: false, problem: sizeProblem(String(size)) };
  return { ok: true, program };
}

function sizeProblem(size: string): string {
  return `RE2 needs ${size} instructions for it; expected at most ${MAX_SIZE}; repeat less, as in {1,100}`;
}

/** An escape, a class, a count, or one character. */
const TOKEN = /\\(?:[pPu]\{[^}]*\}|.)|\[(?:\\.|[^\]\\])*\]|\{(\d+)(?:,(\d*))?\}|./gsu;

/** About how many instructions a pattern has, with its repetitions written out. */
function writtenOut(pattern: string): number {
  const groups = [0];
  let last = 0;
  for (const [token, least, most] of pattern.matchAll(TOKEN)) {
    let added = 1;
    if (token === '(') groups.push(0);
    else if (token === ')') last = added = (groups.pop() ?? 0) + 1;
    else if (least !== undefined) {
      added = last * (Math.max(Number(least), Number(most ?? 0)) - 1);
      last += added;
    } else last = 1;
    groups.push((groups.pop() ?? 0) + added);
  }
  return groups[0] ?? 0;
}

const LOOKAROUND = /\(\?<?[=!]/;
/** RE2 would read `\k<name>` as the letter k. */
const BACKREFERENCE = /(?<!\\)(?:\\\\)*(\\(?:[1-9]|k<[^>]*>))/;

const require = createRequire(import.meta.url);

function compile(pattern: string): re2.RE2JS {
  // Loaded here, for most pipelines have no pattern, and not by import(), for compiling is synchronous.
  const { RE2JS } = require('re2js') as typeof re2;
  return RE2JS.compile(RE2JS.translateRegExp(pattern));
}

function reasonOf(attempt: () => unknown): string | undefined {
  try {
    attempt();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** "error parsing regexp: invalid repeat count: `{2000}`" */
function wordsOf(message: string): string {
  return message.replace(/^error parsing regexp: /, '').replaceAll('`', "'");
}
