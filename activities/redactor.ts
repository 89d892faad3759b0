import { inspect } from 'node:util';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { Failure } from '../plan/failures.ts';
import type { JsonValue } from '../plan/json.ts';
import { secretForms, type SecretForm } from './secret-forms.ts';

/** What stands where a secret stood. */
const MARK = '***';
const BASE64_DIGIT = /[A-Za-z0-9+/_-]/;
/** Causes below the error itself. */
const MAX_CAUSES = 10;

type Span = readonly [start: number, end: number];

/** Takes every secret that this process has read out of what leaves it. */
export class Redactor {
  readonly #forms = new Map<string, SecretForm>();

  add(secret: string): void {
    for (const form of secretForms(secret)) this.#forms.set(form.text, form);
  }

  text(text: string): string {
    // What is left on both sides of a mark may be a secret again; each round makes the text shorter.
    for (let redacted = text; ;) {
      const spans = this.#spansIn(redacted);
      if (spans.length === 0) return redacted;
      redacted = withMarks(redacted, spans);
    }
  }

  /** A value of JSON, with the keys of its maps. */
  value<T extends JsonValue>(value: T): T {
    return this.#forms.size === 0 ? value : (this.#redacted(value) as T);
  }

  /** A failure, with its causes. */
  failure(failure: Failure): Failure {
    const message = this.text(failure.message);
    const cause = this.#cause(failure.cause, 0);
    if (message === failure.message && cause === failure.cause) return failure;
    const { type, retryAfterMs } = failure;
    const redacted = new Failure(type, message, {
      ...(cause !== undefined && { cause }),
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    });
    redacted.stack = this.text(failure.stack ?? '');
    return redacted;
  }

  /** What an activity ends with; of what class an error is stays as far as Temporal looks at it. */
  error(error: unknown): unknown {
    if (this.#forms.size === 0 || error instanceof CancelledFailure) return error;
    if (error instanceof Failure) return this.failure(error);
    if (!(error instanceof ApplicationFailure)) return this.#cause(error, 0);
    const { message, stack = '', cause, details } = error;
    return Object.assign(error, {
      message: this.text(message),
      stack: this.text(stack),
      cause: this.#cause(cause, 0),
      details: this.value((details ?? null) as JsonValue),
    });
  }

  /** A plain error, as Temporal would make it one too; the same one when nothing has to go. */
  #cause(cause: unknown, depth: number): unknown {
    if (this.#forms.size === 0 || cause === undefined) return cause;
    if (depth === MAX_CAUSES) return undefined;
    if (!(cause instanceof Error)) return new Error(this.text(inspect(cause)));
    const redacted = new Error(this.text(cause.message));
    redacted.name = this.text(cause.name);
    redacted.stack = this.text(cause.stack ?? '');
    const inner = this.#cause(cause.cause, depth + 1);
    if (inner !== undefined) redacted.cause = inner;
    const isSame =
      redacted.message === cause.message &&
      redacted.stack === cause.stack &&
      redacted.name === cause.name &&
      inner === cause.cause;
    return isSame ? cause : redacted;
  }

  #redacted(value: JsonValue): JsonValue {
    if (typeof value === 'string') return this.text(value);
    if (value === null || typeof value !== 'object') return value;
    if (Array.isArray(value)) return value.map((item: JsonValue) => this.#redacted(item));
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [this.text(key), this.#redacted(item)]),
    );
  }

  #spansIn(text: string): readonly Span[] {
    const spans: Span[] = [];
    for (const form of this.#forms.values()) {
      for (let at = text.indexOf(form.text); at >= 0; at = text.indexOf(form.text, at + 1)) {
        spans.push(spanOf(form, text, at));
      }
    }
    return spans.sort(([a], [b]) => a - b);
  }
}

/** With the base64 digits around it that hold bits of the secret, and their padding. */
function spanOf({ text: found, before, after }: SecretForm, text: string, at: number): Span {
  const isDigit = (index: number): boolean => BASE64_DIGIT.test(text[index] ?? '');
  const start = before > 0 && isDigit(at - 1) ? at - 1 : at;
  let end = at + found.length;
  if (after > 0 && isDigit(end)) {
    end += 1;
    while (text[end] === '=') end += 1;
  }
  return [start, end];
}

/** @param spans by their starts; they may overlap */
function withMarks(text: string, spans: readonly Span[]): string {
  let redacted = '';
  let position = 0;
  for (const [start, end] of spans) {
    if (start >= position) redacted += text.slice(position, start) + MARK;
    position = Math.max(position, end);
  }
  return redacted + text.slice(position);
}
