import type { Failure } from '../plan/failures.ts';
import type { JsonObject, JsonValue } from '../plan/json.ts';
import { describeCell, fileFailure, jsonCell } from './tables/table.ts';
import type { Cell, RowPlace } from './tables/table.ts';

/**
 * One turn of a conversation, as chat templates read it: `role`, and `content`, which is a text or
 * a list of `{ type: text, text }`, and may be missing beside other keys, such as `tool_calls`.
 */
export type Message = JsonObject & { readonly role: string };

const EXAMPLE = '[{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}]';

/**
 * The messages of a cell: a list of objects, or the JSON of one. Keys that hold null are left out,
 * as `apply_chat_template` of transformers does: where a file has one type for all rows, they are
 * those that a message does not have.
 *
 * @throws InvalidInput, naming row and message
 */
export function readMessages(cell: Cell, column: string, place: RowPlace): readonly Message[] {
  const fail = (what: string): Failure => fileFailure(place.file, `row ${place.row}${what}`);
  if (cell === null)
    throw fail(` has no messages (column "${column}"): fill them in, or remove the row`);
  const found = typeof cell === 'string' ? parseText(cell) : cell;
  const list = typeof found === 'object' ? found?.value : undefined;
  if (!Array.isArray(list)) {
    throw fail(
      `: "${column}" is ${describeCell(cell)}: expected a list of messages, as ${EXAMPLE}`,
    );
  }
  if (list.length === 0) {
    throw fail(`: "${column}" is an empty list: put messages into it, or remove the row`);
  }
  return list.map((value: JsonValue, index): Message => {
    const problem = problemOf(value);
    if (problem !== undefined) throw fail(`: message ${index + 1} of "${column}" ${problem}`);
    const entries = Object.entries(value as Message).filter(([, item]) => item !== null);
    return Object.fromEntries(entries) as Message;
  });
}

function parseText(text: string): Cell | undefined {
  try {
    return jsonCell(JSON.parse(text) as JsonValue);
  } catch {
    return undefined;
  }
}

/** What is wrong with a message, and what to do. */
function problemOf(value: JsonValue): string | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return `is ${describeCell(jsonCell(value))}: expected an object, as {"role": "user", "content": "..."}`;
  }
  const { role = null, content = null, ...more } = value as JsonObject;
  if (typeof role !== 'string' || role === '') {
    const keys = Object.keys(value);
    return keys.includes('from') && keys.includes('value')
      ? 'has "from" and "value" in place of "role" and "content": rename them, and write the roles ' +
          'as "user" (human), "assistant" (gpt) and "system"'
      : `has ${role === null ? 'no role' : `${describeCell(jsonCell(role))} as its role`}: expected ` +
          '"system", "user", "assistant" or another role that the chat template knows';
  }
  if (content === null) {
    return Object.values(more).some((item) => item !== null)
      ? undefined
      : `has the role "${role}" and no content: fill it in, or remove the message`;
  }
  return contentProblem(content);
}

function contentProblem(content: JsonValue): string | undefined {
  if (typeof content === 'string') return undefined;
  const expected = 'expected a text, or a list of {"type": "text", "text": "..."}';
  if (!Array.isArray(content))
    return `has ${describeCell(jsonCell(content))} as its content: ${expected}`;
  for (const part of content as readonly JsonValue[]) {
    const { type, text } = (part ?? {}) as { type?: JsonValue; text?: JsonValue };
    if (type === 'text' && typeof text === 'string') continue;
    return typeof type === 'string' && type !== 'text'
      ? `has content of the type "${type}", which a model of texts cannot read: ${expected}`
      : `has content that holds ${describeCell(jsonCell(part))}: ${expected}`;
  }
  return undefined;
}
