import type { CONTEXTS, FUNCTIONS, STATUS_FUNCTIONS } from '../plan/expression-syntax.ts';
import { STEP_RESULTS } from '../plan/expressions.ts';

/** What `run` holds: the type of each value, and its meaning. */
export const RUN_FIELDS = {
  id: { type: 'string', description: 'the workflow id' },
  name: { type: 'string', description: "the pipeline's name" },
  attempt: { type: 'integer', description: "Temporal's attempt number of this execution" },
  scheduled_time: {
    type: 'string',
    description: 'ISO 8601: the time that a schedule meant, else the start',
  },
} as const;

interface Readable {
  /** As it is written, `params.NAME`. */
  readonly form: string;
  readonly description: string;
}

/** What each context of an expression gives. */
export const CONTEXT_FORMS = {
  params: [{ form: 'params.NAME', description: 'a param' }],
  steps: [
    {
      form: 'steps.ID.outputs.NAME',
      description:
        'an output of another step, which this step then waits for; `null` when that step has none',
    },
    {
      form: 'steps.ID.outputs[0].NAME',
      description:
        'of a step with a matrix, whose outputs are the list of those of its entries; `steps.ID.outputs.*.NAME` of all',
    },
    {
      form: 'steps.ID.matrix',
      description: "the list of its entries' values",
    },
    {
      form: 'steps.ID.result',
      description: `what became of it: ${STEP_RESULTS.map((result) => `\`${result}\``).join(', ')}`,
    },
  ],
  matrix: [{ form: 'matrix.NAME', description: "in a step with a matrix: the entry's value" }],
  secrets: [{ form: 'secrets.NAME', description: 'a secret; only in `with`, and by itself' }],
  env: [{ form: 'env.NAME', description: 'a constant of the file' }],
  run: Object.entries(RUN_FIELDS).map(([name, { description }]) => ({
    form: `run.${name}`,
    description,
  })),
} as const satisfies Record<(typeof CONTEXTS)[number], readonly Readable[]>;

/** Functions of every expression. */
export const FUNCTION_FORMS = {
  case: {
    form: 'case(when, then, ..., otherwise)',
    description: 'the value after the first condition that is true, else the last',
  },
  contains: {
    form: 'contains(list or text, item)',
    description: 'whether a list has the item, or a text has it as a part, whatever its case',
  },
  endsWith: {
    form: 'endsWith(text, end)',
    description: 'whether the text ends so, whatever its case',
  },
  format: {
    form: "format('{0} of {1}', a, b)",
    description: 'the text with values in the places of `{0}`, `{1}`; braces are written double',
  },
  fromJSON: { form: 'fromJSON(text)', description: 'the value that the JSON stands for' },
  join: {
    form: "join(list, ', ')",
    description: 'the items in one text, with the second text between them, or a comma',
  },
  startsWith: {
    form: 'startsWith(text, start)',
    description: 'whether the text starts so, whatever its case',
  },
  toJSON: { form: 'toJSON(value)', description: 'the value as JSON, over several lines' },
} as const satisfies Record<(typeof FUNCTIONS)[number], Readable>;

/** Functions of an `if` alone. */
export const STATUS_FUNCTION_FORMS = {
  success: {
    form: 'success()',
    description: 'every need has succeeded, and no step of the run has failed',
  },
  failure: {
    form: 'failure()',
    description: 'a step that this one depends on, directly or through others, has failed',
  },
  always: { form: 'always()', description: 'true, whatever became of the needs' },
  cancelled: { form: 'cancelled()', description: 'never true: a cancelled run starts no step' },
} as const satisfies Record<(typeof STATUS_FUNCTIONS)[number], Readable>;
