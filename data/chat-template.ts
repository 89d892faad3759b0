import { Template } from '@huggingface/jinja';
import { Failure } from '../plan/failures.ts';
import type { Message } from './messages.ts';

/** Where the assistant writes in a rendered conversation: UTF-16 positions, the second exclusive. */
export type Span = readonly [start: number, end: number];

export interface RenderedChat {
  readonly text: string;
  readonly spans: readonly Span[];
}

const GENERATION = /\{%(-?)\s*(end)?generation\s*(-?)%\}/g;
/** First of the characters for private use: two of them stand for the ends of a marked part. */
const PRIVATE_USE = 0xe000;

/**
 * What the clock says in a template: always 26 July 2024, so that equal rows give equal tokens on
 * any day. It is the date that Llama's templates write where there is no clock. By strftime's
 * letters.
 */
const DATE: Readonly<Record<string, string>> = {
  ...{ Y: '2024', y: '24', m: '07', d: '26', b: 'Jul', B: 'July', A: 'Friday', a: 'Fri' },
  ...{ j: '208', H: '00', I: '12', M: '00', S: '00', p: 'AM', '%': '%' },
};

/** Roles under which a message's reasoning is kept; templates read the first (transformers' list). */
const REASONING = ['reasoning_content', 'thinking', 'reasoning'] as const;

/** A chat template, rendered as `apply_chat_template` of transformers does. */
export class ChatTemplate {
  /** Whether the template says itself what the assistant writes, by `{% generation %}`. */
  readonly marksGeneration: boolean;
  readonly #template: Template;
  readonly #source: string;
  readonly #variables: Readonly<Record<string, unknown>>;

  /**
   * @param specialTokens `bos_token` and others
   * @throws InvalidInput, with the line, for what is no template
   */
  constructor(source: string, specialTokens: Readonly<Record<string, string>>) {
    this.#source = source;
    this.marksGeneration = source.search(GENERATION) !== -1;
    this.#template = parse(source);
    this.#variables = { ...specialTokens, tools: null, documents: null };
  }

  /**
   * A conversation as text.
   * @throws Error when the template refuses the messages or fails on them
   */
  render(messages: readonly Message[], addGenerationPrompt: boolean): string {
    return this.#render(messages, addGenerationPrompt, ['', '']);
  }

  /** A conversation as text, and the parts of it that `{% generation %}` marks. */
  renderMarked(messages: readonly Message[]): RenderedChat {
    const [open, close] = unusedMarks(this.#source + JSON.stringify(messages));
    const marked = this.#render(messages, false, [open, close]);
    const spans: Span[] = [];
    let text = '';
    let start = 0;
    for (const part of marked.split(new RegExp(`([${open}${close}])`, 'u'))) {
      if (part === open) start = text.length;
      else if (part === close) spans.push([start, text.length]);
      else text += part;
    }
    return { text, spans };
  }

  #render(
    messages: readonly Message[],
    addGenerationPrompt: boolean,
    [open, close]: readonly [string, string],
  ): string {
    return this.#template.render({
      ...this.#variables,
      messages: messages.map(withReasoning),
      add_generation_prompt: addGenerationPrompt,
      retune_open: open,
      retune_close: close,
      retune_date: (format: string) =>
        format.replace(/%(.)/g, (whole, letter: string) => DATE[letter] ?? whole),
    });
  }
}

function unusedMarks(used: string): readonly [string, string] {
  const marks: string[] = [];
  for (let code = PRIVATE_USE; marks.length < 2; code++) {
    const mark = String.fromCodePoint(code);
    if (!used.includes(mark)) marks.push(mark);
  }
  return marks as [string, string];
}

function withReasoning(message: Message): Message {
  const reasoning = REASONING.map((key) => message[key]).find((value) => value != null);
  if (reasoning === undefined) return message;
  return { thinking: reasoning, ...message, reasoning_content: reasoning };
}

/**
 * The library removes the tags of marked parts; each becomes a block that writes a mark, between
 * the same controls of white space. Its clock gives way to the fixed one.
 */
function parse(source: string): Template {
  const marked = source.replace(
    GENERATION,
    (_, before: string, end: string | undefined, after: string) =>
      `{%${before} if true %}{{ retune_${end ? 'close' : 'open'} }}{% endif ${after}%}`,
  );
  try {
    return new Template(`{% set strftime_now = retune_date %}\n${marked}`);
  } catch (error) {
    const { message } = error as Error;
    throw new Failure(
      'InvalidInput',
      `the chat template cannot be read: line ${lineOf(source, message)}: ${message}; correct it, or ` +
        'give one as chat_template',
      { cause: error },
    );
  }
}

/** The line at whose end the library first says what it says of the whole. */
function lineOf(source: string, message: string): number {
  const lines = source.split('\n');
  const isAt = (line: number): boolean => {
    try {
      return new Template(lines.slice(0, line).join('\n')).parsed === undefined;
    } catch (error) {
      return (error as Error).message === message;
    }
  };
  const found = lines.findIndex((_, index) => isAt(index + 1));
  return found === -1 ? lines.length : found + 1;
}
