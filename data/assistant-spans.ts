import { Failure } from '../plan/failures.ts';
import type { ChatTemplate, RenderedChat, Span } from './chat-template.ts';
import type { Message } from './messages.ts';
import { quotedList } from './wording.ts';

/**
 * Renders a conversation, and finds what the assistant writes in it: what the template marks with
 * `{% generation %}`, else for each assistant turn what follows the conversation before it with the
 * generation prompt, up to the end of the turn.
 *
 * @param row its name in messages
 * @throws InvalidInput when the template refuses the messages, there is no assistant turn, or the
 * template writes a turn in different ways as the conversation goes on
 */
export function renderChat(
  template: ChatTemplate,
  messages: readonly Message[],
  row: string,
): RenderedChat {
  const chat = rendering(row, () =>
    template.marksGeneration
      ? template.renderMarked(messages)
      : { text: template.render(messages, false), spans: undefined },
  );
  if (chat.spans !== undefined && chat.spans.some(([start, end]) => end > start)) {
    return { text: chat.text, spans: chat.spans };
  }
  const roles = messages.map(({ role }) => role);
  if (!roles.includes('assistant')) {
    throw new Failure(
      'InvalidInput',
      `${row} has no turn of the role "assistant", only ${quotedList([...new Set(roles)])}: there is ` +
        'nothing to learn from it; correct its roles, or remove the row',
    );
  }
  if (chat.spans !== undefined) {
    throw new Failure(
      'InvalidInput',
      `${row} has an assistant turn, but the chat template marks nothing of it: put what the ` +
        'assistant writes between {% generation %} and {% endgeneration %}, or remove these tags',
    );
  }
  return { text: chat.text, spans: spansOfTurns(template, messages, chat.text, row) };
}

function spansOfTurns(
  template: ChatTemplate,
  messages: readonly Message[],
  text: string,
  row: string,
): readonly Span[] {
  return [...messages.entries()]
    .filter(([, { role }]) => role === 'assistant')
    .map(([index]): Span => {
      const [before, through] = rendering(row, () => [
        template.render(messages.slice(0, index), true),
        index === messages.length - 1 ? text : template.render(messages.slice(0, index + 1), false),
      ]);
      if (through.startsWith(before) && text.startsWith(through)) {
        return [before.length, through.length];
      }
      throw new Failure(
        'InvalidInput',
        `${row}: the chat template writes what comes before or within message ${index + 1} in another ` +
          'way once the conversation goes on, so that it does not show what the assistant wrote: put ' +
          'that between {% generation %} and {% endgeneration %} in a chat_template of your own',
      );
    });
}

function rendering<T>(row: string, render: () => T): T {
  try {
    return render();
  } catch (error) {
    throw new Failure(
      'InvalidInput',
      `${row} cannot be written with the chat template: ${(error as Error).message}; correct its ` +
        'messages, or give another chat_template',
      { cause: error },
    );
  }
}
