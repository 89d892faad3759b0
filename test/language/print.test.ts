import fc from 'fast-check';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { catalog as kinds } from '../../activities/catalog.ts';
import { type Catalog, findKind } from '../../language/catalog.ts';
import { compile, formatDiagnostics } from '../../language/compile.ts';
import { printPipeline } from '../../language/print.ts';
import { type ValueSchema, valueSchema } from '../../language/schema.ts';
import type { PipelineText } from '../../language/source.ts';
import type { JsonObject, JsonValue } from '../../plan/json.ts';
import { expandMatrix, hasMatrix, type MatrixStep } from '../../plan/matrix.ts';
import type { Plan, PlanStep } from '../../plan/plan.ts';
import { evaluateInputs } from '../../plan/secret-inputs.ts';
import { PROJECT_ROOT } from '../../setup/dependencies.mjs';
import { catalog as declared } from './catalog.ts';
import { goldenOptions } from './golden-file.ts';

function printed(source: PipelineText, catalog: Catalog, params?: JsonObject): string {
  const result = printPipeline({ source, catalog, ...(params !== undefined && { params }) });
  return result.ok ? result.text : formatDiagnostics(result.diagnostics);
}

/** A plan with the inputs of its steps as a run has them: evaluated, and with every default. */
function planOf(source: PipelineText, catalog: Catalog, params: JsonObject): unknown {
  const compiled = compile({ source, catalog, params });
  if (!compiled.ok) return formatDiagnostics(compiled.diagnostics);
  const { plan } = compiled;
  const steps = plan.steps.map((step) => ({ ...step, with: inputsOf(step, plan, catalog) }));
  return { ...plan, steps };
}

function inputsOf(step: PlanStep, plan: Plan, catalog: Catalog): unknown {
  const entries = hasMatrix(step) ? matrixOf(step, plan, catalog) : [undefined];
  return entries.map((matrix) => entryInputs(step, plan, catalog, matrix));
}

function matrixOf(step: MatrixStep, plan: Plan, catalog: Catalog): readonly JsonObject[] {
  return expandMatrix(step, contextsOf(plan, catalog)).map(({ values }) => values);
}

function contextsOf(plan: Plan, catalog: Catalog): JsonObject {
  return {
    ...{ params: plan.params, env: plan.env },
    run: { id: 'run', name: plan.name, attempt: 1, scheduled_time: '2026-01-01T00:00:00Z' },
    steps: Object.fromEntries(plan.steps.map((other) => [other.id, resultOf(other, catalog)])),
  };
}

function entryInputs(
  step: PlanStep,
  plan: Plan,
  catalog: Catalog,
  matrix: JsonObject | undefined,
): unknown {
  const lookup = findKind(catalog, step.kind, step.version);
  if (lookup.kind !== 'found') return undefined;
  const contexts = { ...contextsOf(plan, catalog), ...(matrix && { matrix }) };
  const { inputs, secrets } = evaluateInputs(step.with, contexts);
  const { success, data, error } = lookup.signature.with.safeParse(inputs);
  return { secrets, inputs: success ? data : error.issues };
}

function resultOf({ kind, version, strategy }: PlanStep, catalog: Catalog): JsonObject {
  const lookup = findKind(catalog, kind, version);
  const outputs = lookup.kind === 'found' ? Object.entries(lookup.signature.outputs) : [];
  const values = outputs.map(([name, schema]) => [name, sampleOf(valueSchema(schema, 'output'))]);
  const given = Object.fromEntries(values) as JsonObject;
  if (strategy === undefined) return { result: 'success', outputs: given };
  return { result: 'success', outputs: [given, given], matrix: [{}, {}] };
}

/** A value of a type, whichever. */
function sampleOf({ artifact, type }: ValueSchema): JsonValue {
  if (artifact !== undefined) return `sha256:${'a'.repeat(64)}`;
  if (type === 'integer' || type === 'number') return 3;
  if (type === 'boolean') return true;
  return type === 'object' ? { accuracy: 0.5 } : 'text';
}

interface Case {
  readonly name: string;
  readonly source: string;
  readonly catalog: Catalog;
  readonly params: JsonObject;
}

function casesOf(folder: string, catalog?: Catalog): readonly Case[] {
  const files = readdirSync(folder).filter((file) => file.endsWith('.yaml'));
  return files.map((name) => {
    const source = readFileSync(path.join(folder, name), 'utf8');
    return { name, source, ...goldenOptions(name, source), ...(catalog && { catalog }) };
  });
}

const cases = [
  ...casesOf(path.join(import.meta.dirname, 'golden/valid')),
  ...casesOf(path.join(PROJECT_ROOT, 'pipelines'), kinds),
];

test.each(cases)('$name: printing it again changes nothing', ({ source, catalog }) => {
  const once = printed(source, catalog);
  expect(printed(once, catalog)).toBe(once);
});

test.each(cases)('$name: it compiles to the same plan', ({ source, catalog, params }) => {
  const plan = planOf(source, catalog, params);
  expect(plan).toBeTypeOf('object');
  expect(planOf(printed(source, catalog), catalog, params)).toEqual(plan);
});

test.each(cases)(
  '$name: with params, it compiles to the plan of a submission with them',
  ({ source, catalog, params }) => {
    const plan = planOf(source, catalog, params);
    expect(planOf(printed(source, catalog, params), catalog, {})).toEqual(plan);
  },
);

test.each(cases)('$name: every comment is still there', ({ source, catalog }) => {
  const comments = source.split('\n').flatMap((line) => /(?:^|\s)(#[^'"]*)$/.exec(line)?.[1] ?? []);
  const lines = printed(source, catalog).split('\n');
  for (const comment of comments) {
    expect(lines.filter((line) => line.endsWith(comment.trimEnd()))).not.toEqual([]);
  }
});

/** Comments and blank lines that someone has put anywhere, at a line's end or on lines of their own. */
const remarks = fc.array(
  fc.record({
    line: fc.nat(200),
    indent: fc.nat(10),
    kind: fc.constantFrom('beside', 'comment', 'blank'),
  }),
  { minLength: 1, maxLength: 6 },
);

test('comments and blank lines wherever they are: once printed, it stays and means the same', () => {
  let valid = 0;
  fc.assert(
    fc.property(fc.nat(cases.length - 1), remarks, (index, places) => {
      const { source, catalog, params } = cases[index] as Case;
      const lines = source.split('\n');
      for (const [number, { line, indent, kind }] of places.entries()) {
        const at = line % lines.length;
        const remark = `# remark ${number}`;
        if (kind === 'beside') lines[at] = `${lines[at]} ${remark}`;
        else lines.splice(at, 0, kind === 'comment' ? `${' '.repeat(indent)}${remark}` : '');
      }
      const text = lines.join('\n');
      if (!compile({ source: text, catalog, params }).ok) return;
      valid += 1;
      const once = printed(text, catalog);
      expect(printed(once, catalog)).toBe(once);
      expect(planOf(once, catalog, params)).toEqual(planOf(text, catalog, params));
      const kept = [...text.matchAll(/# remark \d/g)].map(([remark]) => remark);
      for (const remark of kept) expect(once).toContain(remark);
    }),
    { numRuns: 120, seed: 5 },
  );
  expect(valid).toBeGreaterThan(60);
});

const SMALL = `# A small one.
name: small # of few steps

params:
  rows: 100 # training examples
  rate: { default: 5.0e-5 }
  splits: [train, "test"]
defaults: { retry: { max_attempts: 2 }, timeout: 90m } # of one attempt
steps:
  data: # the rows
    uses: download-dataset@1
    with: { source: 'file:a.csv' } # and no more
  base: { uses: download-model@1, with: { source: file:gpt2 } }
  # the training
  tune:
    uses: train@1
    retry: { backoff: 10m }
    with:
      model: \${{ steps.base.outputs.model }}
      task: causal-lm
      train_dataset: sha256:${'0'.repeat(64)}
      args:
        # one pass
        num_train_epochs: 1
        warmup_ratio: 0.1
      lora: { r: 4 }
`;

const DATA = `  data: # the rows
    uses: download-dataset@1
    with: # and no more
      source: 'file:a.csv'
      format: auto # default
      label_kind: auto # default
    retry: { max_attempts: 2, backoff: 2s, max_backoff: 5m } # default
    timeout: 1h30m # default
    on_failure: fail # default
    cache: { enabled: true } # default
`;

test('a file is filled in where it says nothing, and what it says stays', () => {
  expect(printed(SMALL, kinds)).toBe(`# A small one.
name: small # of few steps

params:
  rows:
    type: integer # default
    default: 100 # training examples
  rate:
    default: 5.0e-5
    type: number # default
  splits:
    type: list # default
    default: [train, "test"]
defaults: # of one attempt
  retry:
    max_attempts: 2
    backoff: 2s # default
    max_backoff: 5m # default
  timeout: 90m
  on_failure: fail # default
  max_parallel: 16 # default
  runs_on: cpu # default
steps:
${DATA}  base:
    uses: download-model@1
    with:
      source: file:gpt2
      config: {} # default
    retry: { max_attempts: 2, backoff: 2s, max_backoff: 5m } # default
    timeout: 1h30m # default
    on_failure: fail # default
    cache: { enabled: true } # default
  # the training
  tune:
    uses: train@1
    retry:
      backoff: 10m
      max_attempts: 2 # default
      max_backoff: 10m # default
    with:
      model: \${{ steps.base.outputs.model }}
      task: causal-lm
      train_dataset: sha256:${'0'.repeat(64)}
      args:
        # one pass
        num_train_epochs: 1
        warmup_ratio: 0.1
        per_device_train_batch_size: 8 # default
        gradient_accumulation_steps: 1 # default
        max_steps: -1 # default
        dataloader_drop_last: false # default
        train_sampling_strategy: random # default
        seed: 42 # default
        learning_rate: 5e-5 # default
        lr_scheduler_type: linear # default
        optim: adamw_torch # default
        weight_decay: 0 # default
        adam_beta1: 0.9 # default
        adam_beta2: 0.999 # default
        adam_epsilon: 1e-8 # default
        max_grad_norm: 1 # default
        label_smoothing_factor: 0 # default
        bf16: false # default
        fp16: false # default
        logging_strategy: steps # default
        logging_steps: 10 # default
        logging_first_step: false # default
        include_num_input_tokens_seen: no # default
        eval_delay: 0 # default
        eval_on_start: false # default
        save_total_limit: 2 # default
        load_best_model_at_end: false # default
      lora:
        r: 4
        alpha: 8 # default
        dropout: 0 # default
      divergence: { factor: 2, patience: 20 } # default
      device: cpu # default
      pack: true # default
    runs_on: cpu # default
    timeout: 1h30m # default
    on_failure: fail # default
    cache: { enabled: true } # default
`);
});

test('a schedule gets its policies and its id', () => {
  const source = `${SMALL}on:
  schedule:
    - { cron: '@daily', jitter: 5m }
    - cron: '@weekly'
      id: weekly
`;
  const text = printed(source, kinds);
  expect(text.slice(text.indexOf('on:\n'))).toBe(`on:
  schedule:
    - cron: '@daily'
      jitter: 5m
      timezone: UTC # default
      overlap: skip # default
      catchup_window: 5m # default
      pause_on_failure: false # default
      id: small # default
    - cron: '@weekly'
      id: weekly
      timezone: UTC # default
      overlap: skip # default
      catchup_window: 5m # default
      jitter: 0s # default
      pause_on_failure: false # default
`);
});

test('a param that is given becomes the default, in the place of the one before', () => {
  const text = printed(SMALL, kinds, { rows: 5, rate: 0.25 });
  expect(text.slice(text.indexOf('params:'), text.indexOf('  splits:'))).toBe(`params:
  rows:
    type: integer # default
    default: 5 # training examples
  rate:
    default: 0.25 # given
    type: number # default
`);
});

test('what an alias stands for is written out, for each place gets its own defaults', () => {
  const source = `
name: shared
env: { rows: &rows 5 }
steps:
  a: &step
    uses: subset@1
    with: &inputs { dataset: sha256:${'0'.repeat(64)}, take: *rows } # shared
  b: *step
  c: { uses: subset@1, with: *inputs }
`;
  const text = printed(source, kinds);
  const inputs = `
    uses: subset@1
    with: # shared
      dataset: sha256:${'0'.repeat(64)}
      take: 5
      skip: 0 # default
    retry: { max_attempts: 5, backoff: 2s, max_backoff: 5m } # default
    on_failure: fail # default
    cache: { enabled: true } # default`;
  expect(text.slice(text.indexOf('steps:'))).toBe(
    `steps:\n  a:${inputs}\n  b:${inputs}\n  c:${inputs.replace(' # shared', '')}\n`,
  );
  expect(printed(text, kinds)).toBe(text);
});

test('JSON becomes YAML where a comment has to stand', () => {
  const source = JSON.stringify({
    name: 'json',
    steps: { true: { uses: 'probe@1' } },
  });
  expect(printed(source, declared)).toBe(`"name": "json"
defaults:
  retry: { max_attempts: 5, backoff: 2s, max_backoff: 5m } # default
  on_failure: fail # default
  max_parallel: 16 # default
  runs_on: cpu # default
"steps":
  "true":
    "uses": "probe@1"
    retry: { max_attempts: 5, backoff: 2s, max_backoff: 5m } # default
    on_failure: fail # default
    cache: { enabled: true } # default
`);
});

test('a file with errors is not printed, and says why', () => {
  expect(printed('name: p\nsteps: { a: { uses: trian@1 } }\n', kinds)).toBe(
    "pipeline.yaml:2:21: unknown step kind 'trian@1'; did you mean 'train@1'? expected one of download-dataset@1, download-model@1, subset@1, tokenize@1, train@1, evaluate@1, select@1, register@1, approve@1, notify@1, or a kind of your own, by --steps FILE [uses]\nsteps: { a: { uses: trian@1 } }\n                    ^~~~~~~",
  );
});

test.each(['\r\n', '\n', '\r'])(
  'lines that end in %j end in one way when they are printed',
  (end) => {
    const lines = [
      ...['# top', 'name: p', 'params:', '  rows: 5 # a few', '', 'steps:', '  a:'],
      ...['    uses: probe@2', '    with:', '      any: |', '        one', '        two', ''],
      ...['      goal: maximize', ''],
    ];
    const source = lines.join(end);
    const text = printed(source, declared);
    const expected = printed(lines.join('\n'), declared);
    expect(text).toBe(end === '\r\n' ? expected.replaceAll('\n', '\r\n') : expected);
    expect(printed(text, declared)).toBe(text);
    expect(planOf(text, declared, {})).toEqual(planOf(source, declared, {}));
  },
);
