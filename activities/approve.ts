import { z } from 'zod';
import { DURATION, parseDuration } from '../language/checks/duration.ts';
import { defineStep } from '../language/step-declaration.ts';
import { Failure } from '../plan/failures.ts';
import { DECISIONS } from '../plan/interventions.ts';
import type { AskContext, StepContext } from './step-context.ts';

const inputs = z.strictObject({
  message: z.string().min(1).describe('what is to be decided'),
  timeout: z
    .string()
    .regex(DURATION, 'expected a duration such as 30m or 2d')
    .default('24h')
    .describe('how long it waits for the decision'),
  on_timeout: z
    .enum(['reject', 'approve'])
    .default('reject')
    .describe('what counts when nobody decided in time'),
  on_reject: z
    .enum(['fail', 'continue'])
    .default('fail')
    .describe('whether the step fails when it is rejected, or gives that as its output'),
});

export const approve = defineStep({
  kind: 'approve',
  version: 1,
  revision: 1,
  effect: 'external',
  role: 'work',
  summary: 'Wait until somebody approves or rejects, by `retune approve` or the update `approve`.',
  with: inputs,
  outputs: {
    decision: z.enum(DECISIONS).describe('approved or rejected'),
    by: z
      .string()
      .describe('who decided, as given: nobody checks it; empty when the time was over'),
    comment: z.string().describe('what they said of it'),
  },
  async asks({ store, run, fingerprint, force }: AskContext, { message, timeout, on_timeout }) {
    const { getApproval } = await import('../store/approvals.ts');
    const known = force ? undefined : await getApproval(store, { ...run, fingerprint });
    if (known !== undefined) return undefined;
    const onTimeout = on_timeout === 'approve' ? 'approved' : 'rejected';
    return { message, timeoutMs: parseDuration(timeout) ?? 0, onTimeout };
  },
  async run({ store, run, fingerprint, decision, note }: StepContext, { on_reject }) {
    const { getApproval, putApproval } = await import('../store/approvals.ts');
    const key = { ...run, fingerprint };
    const before = decision === undefined ? await getApproval(store, key) : undefined;
    const found = before === undefined ? decision : ({ decision: 'approved', ...before } as const);
    if (found === undefined) throw new Error('internal: approve@1 runs without a decision');
    const { by, comment } = found;
    const who = `${by === '' ? '' : ` by ${by}`}${comment === '' ? '' : `: ${comment}`}`;
    if (found.decision === 'rejected' && on_reject === 'fail') {
      throw new Failure('Rejected', `rejected${who}`);
    }
    // A rejection stands for this execution alone: a resumption asks again.
    if (found.decision === 'approved') await putApproval(store, key, { by, comment });
    note(`${found.decision}${who}${before === undefined ? '' : ' (in an earlier execution)'}`);
    return { decision: found.decision, by, comment };
  },
});
