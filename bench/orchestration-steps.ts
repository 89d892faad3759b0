import { defineStep, z } from 'retune/steps';

/** The step kind that bench/orchestration.ts runs: it does nothing. */
export default defineStep({
  kind: 'noop',
  version: 1,
  effect: 'pure',
  role: 'work',
  summary: 'Does nothing.',
  with: z.strictObject({ after: z.int(), run: z.string() }),
  outputs: { number: z.int() },
  run: (_, { after }) => ({ number: after + 1 }),
});
