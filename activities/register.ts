import { z } from 'zod';
import { artifact, defineStep, notBuilt } from '../language/step-declaration.ts';
import { ALIAS_FORM } from '../store/alias-form.ts';
import type { StepContext } from './step-context.ts';

export const register = defineStep({
  kind: 'register',
  version: 1,
  revision: 1,
  effect: 'external',
  role: 'work',
  summary: 'Give a model a name and a version in the registry, and move an alias to it.',
  with: z.strictObject({
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
      .refine((value) => value !== 'if_better', {
        error: "'if_better' is not built yet: use 'always' or 'never'",
      })
      .default('always')
      .describe('whether the alias moves to this version'),
    metric: notBuilt(),
    min_gain: notBuilt(),
    mlflow: notBuilt(),
    hub: notBuilt(),
  }),
  outputs: {
    version: z.int().describe('from 1; that of the same model, when it was registered before'),
    aliases: z.array(z.string()).describe('that stand for this version now'),
    url: z.string().describe('registry:NAME@VERSION'),
  },
  async run(context: StepContext, inputs) {
    const [{ lineage }, { register: registerModel }] = await Promise.all([
      import('../store/lineage.ts'),
      import('../store/registry.ts'),
    ]);
    const { store, run } = context;
    const { model, name, evaluation, alias, promote } = inputs;
    const { version, aliases, existing } = await registerModel(store, {
      run: run.workflowId,
      execution: run.executionRunId,
      step: run.stepId,
      name,
      model,
      lineage: await lineage(store, model),
      promote: promote === 'never' ? 'never' : 'always',
      ...(evaluation !== undefined && { evaluation }),
      ...(alias !== undefined && { alias }),
    });
    context.note(
      existing
        ? `the same model was registered before, as v${version}`
        : `registered as v${version}`,
    );
    return { version, aliases: [...aliases], url: `registry:${name}@${version}` };
  },
});
