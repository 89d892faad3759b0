import { Ajv2020 } from 'ajv/dist/2020.js';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { pipelineSchema } from '../../language/editor-schema.ts';
import { defineStep } from '../../language/step-declaration.ts';
import { PROJECT_ROOT } from '../../setup/dependencies.mjs';
import { catalog } from './catalog.ts';
import { goldenOptions } from './golden-file.ts';

const examples = path.join(PROJECT_ROOT, 'pipelines');
const golden = path.join(import.meta.dirname, 'golden');

/** Words of editors that the standard does not have. */
const EDITOR_WORDS = [
  'deprecationMessage',
  'doNotSuggest',
  'enumDescriptions',
  'patternErrorMessage',
];

/** What an independent validator says of a file: `/steps/a/with: must ...`, each once. */
function validator(schema: object): (yaml: string) => readonly string[] {
  const ajv = new Ajv2020({
    ...{ strict: true, strictRequired: false, allowUnionTypes: true, allErrors: true },
  });
  ajv.addVocabulary(EDITOR_WORDS);
  const validate = ajv.compile(schema);
  return (yaml) => {
    validate(parse(yaml, { merge: true, uniqueKeys: false, logLevel: 'silent' }));
    const errors = (validate.errors ?? []).map(
      ({ instancePath, message = '', params }) =>
        `${instancePath}: ${message}${'additionalProperty' in params ? ` '${String(params['additionalProperty'])}'` : ''}`,
    );
    return [...new Set(errors)];
  };
}

function publishedIn(folder: string): object {
  return JSON.parse(readFileSync(path.join(folder, 'pipeline.schema.json'), 'utf8')) as object;
}

const published = validator(publishedIn(examples));
const ofTheTests = validator(pipelineSchema(catalog));

function yamlFilesOf(folder: string): readonly string[] {
  return readdirSync(folder).filter((file) => file.endsWith('.yaml'));
}

const folders = [examples, path.join(examples, 'custom')];

test.each(folders)('the schema in %s is a JSON Schema of the draft that it names', (folder) => {
  const schema = publishedIn(folder);
  const ajv = new Ajv2020({ strict: false });
  expect(ajv.validateSchema(schema), JSON.stringify(ajv.errors)).toBe(true);
  expect(schema).toMatchObject({ $schema: 'https://json-schema.org/draft/2020-12/schema' });
});

describe.each(folders)('in %s', (folder) => {
  const findings = validator(publishedIn(folder));
  test.each(yamlFilesOf(folder))('%s names the schema, and has nothing that it refuses', (file) => {
    const text = readFileSync(path.join(folder, file), 'utf8');
    expect(text).toMatch(/^# yaml-language-server: \$schema=\.\/pipeline\.schema\.json$/m);
    expect(findings(text)).toEqual([]);
  });
});

const STEP =
  'name: p\nsteps: { a: { uses: subset@1, with: { dataset: "${{ steps.b.outputs.x }}" } } }';
const SUBSET = `/steps/a/with`;

test.each([
  ['a top-level key', `${STEP}\nstep: {}`, ["must NOT have additional properties 'step'"]],
  ['no steps', 'name: p\nsteps: {}', ['/steps: must NOT have fewer than 1 properties']],
  ['no name', 'steps: { a: { uses: subset@1 } }', [": must have required property 'name'"]],
  ['an expression as a name', 'name: ${{ env.X }}\nsteps: {}', ['/name: must match pattern']],
  [
    'a step key',
    STEP.replace('uses:', 'ues: x, uses:'),
    ["/steps/a: must NOT have additional properties 'ues'"],
  ],
  ['a kind', STEP.replace('subset@1', 'subsett@1'), ['/steps/a/uses: must be equal to one of']],
  ['a version', STEP.replace('subset@1', 'subset@2'), ['/steps/a/uses: must be equal to one of']],
  ['no with', 'name: p\nsteps: { a: { uses: subset@1 } }', ["required property 'with'"]],
  [
    'an input',
    STEP.replace('dataset:', 'take: 0, tak: 1, dataset:'),
    [`${SUBSET}: must NOT have additional properties 'tak'`, `${SUBSET}/take: must be > 0`],
  ],
  [
    'a text where a number belongs',
    STEP.replace('dataset:', "skip: '5', dataset:"),
    [`${SUBSET}/skip: must match pattern "\\$\\{\\{"`],
  ],
  [
    'a wire that is no expression',
    STEP.replace('${{ steps.b.outputs.x }}', 'steps.b.outputs.x'),
    [`${SUBSET}/dataset: must match pattern`],
  ],
  [
    'what is not built',
    STEP.replace('dataset:', 'where: x, dataset:'),
    [`${SUBSET}/where: must NOT`],
  ],
  [
    'a label for a kind that does not train',
    STEP.replace('with:', 'runs_on: cpu, with:'),
    ['/steps/a/runs_on: boolean schema is false'],
  ],
  [
    'a retry',
    STEP.replace('with:', 'retry: { max_attempts: 0, backoff: 5 }, with:'),
    ['/steps/a/retry/max_attempts: must be >= 1', '/steps/a/retry/backoff: must be string'],
  ],
  [
    'a timeout',
    STEP.replace('with:', "timeout: '', with:"),
    ['/steps/a/timeout: must match pattern'],
  ],
  [
    'a training argument',
    STEP.replace('subset@1', 'train@1').replace(
      'dataset:',
      'args: { learning_rte: 1, lr_scheduler_type: linaer, output_dir: x }, dataset:',
    ),
    [
      `${SUBSET}/args: must NOT have additional properties 'learning_rte'`,
      `${SUBSET}/args/lr_scheduler_type: must be equal to one of the allowed values`,
      `${SUBSET}/args/output_dir: must NOT be valid`,
    ],
  ],
  [
    'params',
    `${STEP}\nparams: { a: null, b: { type: integer, default: x, pattern: y }, c: {}, d: { defalt: 1 } }`,
    [
      '/params/a: must be string,number,boolean,array,object',
      '/params/b/default: must be integer',
      '/params/b/pattern: boolean schema is false',
      "/params/c: must have required property 'type'",
      "/params/d: must NOT have additional properties 'defalt'",
    ],
  ],
  [
    'a schedule',
    `${STEP}\non: { schedule: [{ corn: '@daily', overlap: never }] }`,
    [
      "/on/schedule/0: must have required property 'cron'",
      "/on/schedule/0: must NOT have additional properties 'corn'",
      '/on/schedule/0/overlap: must be equal to one of the allowed values',
    ],
  ],
])('%s that is wrong is refused', (_, yaml, messages) => {
  const found = published(yaml);
  for (const message of messages) {
    expect(found).toContainEqual(expect.stringContaining(message));
  }
});

test.each([
  ['an integer', 'take: "${{ params.rows }}"'],
  ['text around it', 'split: "${{ env.SPLIT }}-1"'],
])('an expression may stand for %s', (_, input) => {
  expect(published(STEP.replace('dataset:', `${input}, dataset:`))).toEqual([]);
});

function validated(folder: string, file: string): readonly string[] {
  const text = readFileSync(path.join(golden, folder, file), 'utf8');
  const isOfTheTests = goldenOptions(file, text).catalog === catalog;
  return isOfTheTests ? ofTheTests(text) : published(text);
}

describe('as `check` says', () => {
  test.each(yamlFilesOf(path.join(golden, 'valid')))('valid/%s is accepted', (file) => {
    expect(validated('valid', file)).toEqual([]);
  });

  /**
   * Rules whose mistakes have a shape that a schema can know, and which of their files have none. Those
   * left out (cycle, duplicate-key, expression, never-true, param-value, reference, repeated-need, secret, source,
   * unreachable, unused-param, wire, yaml) are about
   * text that is not YAML, expressions, and what one place says of another: `check` alone knows them.
   */
  const COVERED: Readonly<Record<string, readonly string[]>> = {
    condition: ['example.yaml'],
    duration: [],
    limit: ['matrix.yaml'],
    matrix: [],
    'missing-key': ['refinement.yaml'],
    name: ['case.yaml'],
    'not-built': [],
    param: ['example.yaml', 'slow-patterns.yaml', 'unsatisfiable.yaml'],
    'runs-on': [],
    schedule: ['example.yaml', 'params.yaml', 'timezones.yaml'],
    'unknown-key': [],
    uses: [],
    'value-type': [],
    with: ['matrix.yaml', 'throwing-schema.yaml', 'whole.yaml'],
  };
  test.each(Object.entries(COVERED))('what breaks the rule %s is refused', (rule, beyond) => {
    const files = yamlFilesOf(path.join(golden, rule));
    const accepted = files.filter((file) => validated(rule, file).length === 0);
    expect(accepted).toEqual(beyond);
  });
});

test('a kind of one’s own, with inputs inside inputs of their own kind, is in the schema', () => {
  interface Tree {
    readonly size: number;
    readonly children?: readonly Tree[] | undefined;
  }
  const tree: z.ZodType<Tree> = z.lazy(() =>
    z.strictObject({ size: z.int().describe('of it'), children: z.array(tree).optional() }),
  );
  const own = defineStep({
    ...{ kind: 'grow', version: 1, revision: 1, effect: 'pure', role: 'work' },
    summary: 'Grow a tree.',
    with: z.strictObject({ tree, any: z.json().optional() }),
    outputs: {},
    run: () => Promise.resolve({}),
  });
  const validate = validator(pipelineSchema([own]));
  const file = (tree: string): string =>
    `name: p\nsteps: { a: { uses: grow@1, with: { tree: ${tree}, any: [{ a: "\${{ 1 }}" }] } } }`;
  expect(validate(file('{ size: 1, children: [{ size: "${{ params.size }}" }] }'))).toEqual([]);
  expect(validate(file('{ size: 1, children: [{ size: big }] }'))).toEqual([
    '/steps/a/with/tree/children/0/size: must match pattern "\\$\\{\\{"',
    '/steps/a: must match "then" schema',
  ]);
});
