import { createRequire } from 'node:module';
import type * as re2 from 're2js';
import { quote } from './located.ts';

const MAX_LENGTH = 1000;
/** Each character of a text takes up to so many steps. */
const MAX_SIZE = 2000;

/**
 * What keeps a param's `pattern` from being used. It is written in JavaScript's syntax (flag `u`)
 * and matched by RE2, in time linear in the text: no pattern and no value can hang a worker.
 */
export function patternProblem(pattern: string): string | undefined {
  if (pattern.length > MAX_LENGTH) {
    return `it has ${pattern.length} characters; expected at most ${MAX_LENGTH}`;
  }
  const syntax = reasonOf(() => new RegExp(pattern, 'u'));
  if (syntax !== undefined) {
    return `expected a regular expression: ${syntax.split(': ').at(-1)?.toLowerCase()}`;
  }
  const refused = reasonOf(() => compile(pattern));
  const found = BACKREFERENCE.exec(pattern)?.[1] ?? (refused && LOOKAROUND.exec(pattern)?.[0]);
  if (found !== undefined) {
    return `it has ${quote(found)}; expected no lookaround and no backreference, which take unbounded time to match`;
  }
  if (refused === undefined) return sizeProblem(compile(pattern).programSize());
  return `expected a regular expression that RE2 can match; its reason: ${wordsOf(refused)}`;
}

function sizeProblem(size: number): string | undefined {
  if (size <= MAX_SIZE) return undefined;
  return `RE2 needs ${size} instructions for it; expected at most ${MAX_SIZE}; repeat less, as in {1,100}`;
}

/** Whether a pattern that has no problem occurs in a text. */
export function matchesPattern(pattern: string, text: string): boolean {
  return compile(pattern).matcher(text).find();
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
