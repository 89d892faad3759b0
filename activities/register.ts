import { z } from 'zod';
import { METRICS } from '../evaluation/metrics.ts';
import { artifact, defineStep, notBuilt } from '../language/step-declaration.ts';
import { ALIAS_FORM } from '../store/alias-form.ts';
import { registerRules } from './register-rules.ts';
import type { StepContext } from './step-context.ts';

const inputs = z
  .strictObject({
    model: artifact('model').describe('the model to register'),
    name: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, "expected letters, digits, '.', '_' and '-'")
      .describe('name in the registry'),
    evaluation: artifact('report').optional().describe('the report that speaks for it'),
    alias: z
      .string()
      .regex(ALIAS_FORM.pattern, `expected ${ALIAS_FORM.expected}`)
      .optional()
      .describe('a name that moves between versions, such as champion'),
    promote: z
      .enum(['always', 'never', 'if_better'])
      .default('always')
      .describe(
        'whether the alias moves to this version; if_better: when its evaluation is better than that of the version that the alias stands for',
      ),
    metric: z
      .enum(METRICS)
      .optional()
      .describe('of if_better: the score in both reports; without it loss'),
    min_gain: z
      .number()
      .nonnegative()
      .optional()
      .describe(
        'of if_better: how much better the score has to be at least; without it any gain is enough',
      ),
    mlflow: notBuilt(),
    hub: notBuilt(),
  })
  .check(...registerRules);

export type RegisterInputs = z.output<typeof inputs>;

export const register = defineStep({
  kind: 'register',
  version: 1,
  revision: 2,
  effect: 'external',
  role: 'work',
  summary: 'Give a model a name and a version in the registry, and move an alias to it.',
  with: inputs,
  outputs: {
    version: z.int().describe('from 1; that of the same model, when it was registered before'),
    aliases: z.array(z.string()).describe('that stand for this version now'),
    url: z.string().describe('registry:NAME@VERSION'),
    promoted: z.boolean().describe('whether this step moved the alias to this version'),
    comparison: z
      .object({
        metric: z.string(),
        value: z.number(),
        champion: z.int(),
        champion_value: z.number(),
        gain: z.number(),
      })
      .nullable()
      .describe(
        'of if_better: the score of this version, the version that the alias stood for, its score, and by how much this one is better; null where nothing was compared',
      ),
  },
  async run(context: StepContext, given) {
    const { registerModel } = await import('./registration.ts');
    return registerModel(context, given);
  },
});
