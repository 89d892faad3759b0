import { z } from 'zod';
import { credential, defineStep, schemaFacts } from '../language/step-declaration.ts';
import type { StepContext } from './step-context.ts';

export const notify = defineStep({
  kind: 'notify',
  version: 1,
  revision: 1,
  effect: 'external',
  role: 'work',
  summary: 'Send a message to a webhook, signed where it has a secret.',
  with: z.strictObject({
    url: z
      .string()
      .min(1)
      .register(schemaFacts, { example: 'https://HOST/PATH' })
      .describe('https: (http: only of this machine); as a secret where it says who may send'),
    body: z
      .union([z.string(), z.record(z.string(), z.unknown())])
      .describe('a map is sent as JSON, a text as plain text'),
    secret: credential('WEBHOOK_SECRET')
      .optional()
      .describe('signs the message, by the Standard Webhooks'),
  }),
  outputs: { status: z.int().describe('what the server answered, 200 to 299') },
  async run({ run, signal, note }: StepContext, { url, body, secret }) {
    const { sendWebhook } = await import('./webhook.ts');
    const { workflowId, executionRunId, stepId } = run;
    const status = await sendWebhook(
      { id: `${workflowId}/${executionRunId}/${stepId}`, url, body, secret },
      signal,
    );
    note(`the server answered ${status}`);
    return { status };
  },
});
