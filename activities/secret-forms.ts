import { inspect } from 'node:util';

/** Fewer characters cannot be told from other text: such a value is refused as a secret. */
export const LEAST_SECRET_LENGTH = 8;

/** A text that gives a secret away. */
export interface SecretForm {
  readonly text: string;
  /** Base64 digits beside it that hold bits of the secret, too. */
  readonly before: number;
  readonly after: number;
}

/**
 * Every text in which a secret is looked for: as it is, without the white space around it, and each
 * of its lines that is long enough; each of these plain, as console shows it, in JSON, in a URL, and
 * in base64; and what it is in JSON, again in JSON, as console shows it, and in base64.
 */
export function secretForms(value: string): readonly SecretForm[] {
  const lines = value.split(/\r?\n/).map((line) => line.trim());
  const texts = new Set([value, value.trim(), ...lines]);
  const forms = new Map<string, SecretForm>();
  for (const text of [...texts].filter(({ length }) => length >= LEAST_SECRET_LENGTH)) {
    const written = new Set([text, ...jsonForms(text)]);
    for (const plain of [...written].flatMap((each) => [each, inJson(each), ...inConsole(each)])) {
      forms.set(plain, { text: plain, before: 0, after: 0 });
    }
    for (const plain of urlForms(text)) forms.set(plain, { text: plain, before: 0, after: 0 });
    for (const each of written) {
      for (const form of base64Forms(Buffer.from(each))) forms.set(form.text, form);
    }
  }
  return [...forms.values()];
}

/**
 * As console prints text that is part of an object: a backslash doubled, and an apostrophe too where
 * the text around leaves no other quote to print it in.
 */
function inConsole(text: string): readonly string[] {
  const everyQuote = `'"\``;
  const options = { breakLength: Infinity, maxStringLength: Infinity };
  const quoted = inspect(everyQuote + text, options).slice(`'\\'"\``.length, -1);
  return [quoted, quoted.replaceAll("\\'", "'")];
}

/** What serializers escape of JSON beside what has to be: in ASCII, and for HTML. */
const ESCAPED_IN_JSON: readonly RegExp[] = [
  /[^ -~]/g, // Python, Jackson
  /[&<>\u2028\u2029]/g, // Go, Rails
  /[&'<=>\u2028\u2029]/g, // Gson
  /\\"|[&'+<>`]|[^ -~]/g, // .NET
];

/** In a JSON string: as JavaScript and others write it, with hexadecimal digits in either case, and `\/`. */
function jsonForms(text: string): readonly string[] {
  const once = inJson(text);
  const forms = [once, ...ESCAPED_IN_JSON.map((pattern) => once.replaceAll(pattern, escaped))];
  const forHtml = inUpperHex(once.replaceAll(/\\"|[&'<>]/g, escaped)); // PHP
  const cased = [...forms, ...forms.map(inUpperHex), forHtml.replaceAll(/[^ -~]/g, escaped)];
  return [...cased, ...cased.map((form) => form.replaceAll('/', '\\/'))];
}

function inJson(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

/** @param found a character, or one with a backslash before it */
function escaped(found: string): string {
  return `\\u${found
    .charCodeAt(found.length - 1)
    .toString(16)
    .padStart(4, '0')}`;
}

function inUpperHex(json: string): string {
  return json.replaceAll(/\\(?:u[0-9a-f]{4}|.)/g, (escape) =>
    escape.length > 2 ? `\\u${escape.slice(2).toUpperCase()}` : escape,
  );
}

/** As a path, as RFC 3986 has it, and as of a form; with hexadecimal digits in either case. */
function urlForms(text: string): readonly string[] {
  // Half a surrogate pair, as of a variable on Windows, has no form in a URL.
  const wellFormed = Buffer.from(text).toString();
  const component = encodeURIComponent(wellFormed);
  const forms = [
    component,
    component.replaceAll(/[!'()*]/g, percent),
    encodeURI(wellFormed),
    new URLSearchParams({ _: wellFormed }).toString().slice(2),
  ];
  return [...forms, ...forms.map(inLowerCase)];
}

function percent(unit: string): string {
  return `%${unit.charCodeAt(0).toString(16).toUpperCase()}`;
}

function inLowerCase(encoded: string): string {
  return encoded.replaceAll(/%[0-9A-F]{2}/g, (code) => code.toLowerCase());
}

/**
 * The digits that are the same whatever stands around the bytes. A digit holds 6 bits: with k bytes
 * before them in their group of three, the bytes begin at bit 8k and end at bit 8(k + length).
 */
function base64Forms(bytes: Buffer): readonly SecretForm[] {
  return [0, 1, 2].flatMap((k) => {
    const first = Math.ceil((8 * k) / 6);
    const end = 8 * (k + bytes.length);
    const digits = Buffer.concat([Buffer.alloc(k), bytes]).toString('base64');
    const text = digits.slice(first, Math.floor(end / 6));
    const form = { text, before: k === 0 ? 0 : 1, after: end % 6 === 0 ? 0 : 1 };
    const inUrl = text.replaceAll('+', '-').replaceAll('/', '_');
    return [form, { ...form, text: inUrl }];
  });
}
