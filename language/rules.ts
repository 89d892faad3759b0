/** What a rule asks for, and what its findings are; an error refuses the pipeline, a hint does not. */
interface RuleFacts {
  readonly severity: 'error' | 'hint' | 'error or hint';
  /** For the page of rules: what has to hold, in a sentence. */
  readonly summary: string;
}

/** The rules that a pipeline is checked against; each but the first two is a file in checks/. */
export const RULES = {
  source: error('The file is text in UTF-8, at most 1 MiB of it, and not empty.'),
  yaml: error('The file is one YAML 1.2 document: a map of JSON values.'),
  cache: error(
    'The `cache` of a step is of a kind with results that can be used again, and names its inputs.',
  ),
  condition: error('An `if` is one expression, with or without `${{ }}` around all of it.'),
  cycle: error('No step waits for itself, directly or through others; the shortest way is shown.'),
  'duplicate-key': error('A key stands once in its map: of two values nobody knows which counts.'),
  duration: error('Durations are written with units, as in `1h30m`, and are in range.'),
  expression: error('What is in `${{ }}` can be read and evaluated, and stands where it may.'),
  limit: error('Counts and sizes are within their limits.'),
  matrix: error('The lists of a `strategy.matrix` can be combined, and leave something to run.'),
  'missing-key': error('What has to be there is there.'),
  name: error('Names have the form that expressions, queues and files can hold, and are distinct.'),
  'never-true': {
    severity: 'error or hint',
    summary:
      'Some run can find an `if` true, whatever its params. One that is false by what is written out, as in `if: false`, is a switch and gets a hint.',
  },
  'not-built': error('Nothing is used that the language promises and this build does not have.'),
  param: error('The declaration of a param is whole, and its default fits it.'),
  'param-value': error(
    'A submission gives the params that the file declares, with values that fit.',
  ),
  reference: error('What an expression or `needs` names is there; a word compared with can occur.'),
  'repeated-need': hint('`needs` does not repeat itself, nor the order that `${{ }}` implies.'),
  'runs-on': error('Only steps that train have `runs_on`, and it is the label of workers.'),
  schedule: {
    severity: 'error or hint',
    summary:
      'A schedule has times and policies that Temporal takes, params that the file declares, and an id of its own. A hint says how to create it: a submission runs once.',
  },
  search: error(
    'A `strategy.search` tries inputs that the kind has with values that they take, and compares a number that it gives.',
  ),
  secret: error('A secret stands by itself in a `with`, and nowhere that would keep its value.'),
  'unknown-key': error('Every key is one that is read: nothing that a person writes is ignored.'),
  unreachable: hint('Every step is started by some run: none waits for one that never runs.'),
  'unused-param': hint('Every param is read by an expression.'),
  uses: error('`uses` names a kind of step and its version.'),
  'value-type': error('Values of the language itself have the shape that it reads.'),
  wire: error('What an expression gives is of the type that the input takes.'),
  with: {
    severity: 'error or hint',
    summary:
      "The inputs of a step fit its kind's declaration. Older names that are accepted get a hint.",
  },
} as const satisfies Record<string, RuleFacts>;

export type Rule = keyof typeof RULES;

function error(summary: string): RuleFacts {
  return { severity: 'error', summary };
}

function hint(summary: string): RuleFacts {
  return { severity: 'hint', summary };
}
