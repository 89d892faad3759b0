import { z } from 'zod';
import { artifact, defineStep, schemaFacts } from '../language/step-declaration.ts';
import type { StepContext } from './step-context.ts';

const results = z.array(z.looseObject({}));

const inputs = z.strictObject({
  from: results.describe('the results to choose from: `steps.ID.outputs` of a step with a matrix'),
  by: z
    .string()
    .min(1)
    .register(schemaFacts, { pathIn: 'from', example: 'metrics.eval_accuracy' })
    .describe('the number to compare, by its path inside a result: `metrics.eval_accuracy`'),
  goal: z
    .enum(['maximize', 'minimize'])
    .optional()
    .describe(
      'which number is best; without it the lowest where `by` ends in `loss`, `perplexity`, `mse` or `mae`, else the highest',
    ),
  matrix: results
    .optional()
    .describe(
      "the values of each result's entry, `steps.ID.matrix`, to name the chosen one and the rows of the table by",
    ),
});

export type SelectInputs = z.output<typeof inputs>;

export const select = defineStep({
  kind: 'select',
  version: 1,
  revision: 1,
  effect: 'pure',
  role: 'work',
  summary: 'Take the best of the results of a step with a matrix.',
  with: inputs,
  outputs: {
    chosen: z
      .looseObject({})
      .register(schemaFacts, { itemOf: 'from' })
      .describe('the best result, with all its outputs; of equal ones the first'),
    index: z.int().describe('its place in the list, from 0'),
    value: z.number().describe('its number'),
    matrix: z
      .looseObject({})
      .register(schemaFacts, { itemOf: 'matrix' })
      .describe("its entry's values; empty without the input `matrix`"),
    table: artifact('report').describe('table.json: the number of each result, best first'),
  },
  async run(context: StepContext, given) {
    const { selectResult } = await import('./selection.ts');
    return selectResult(context, given);
  },
});
