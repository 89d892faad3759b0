import fc from 'fast-check';
import type { JsonObject, JsonValue } from '../../plan/json.ts';

const DIGEST = `sha256:${'0'.repeat(64)}`;
/** Names that JavaScript gives a meaning of its own, among others. */
export const NAMES = [
  ...['a', 'b', 'rows', 'data', 'tune-1', 'A', 'x_y', '__proto__', 'constructor', 'prototype'],
  ...[
    'toString',
    'hasOwnProperty',
    'valueOf',
    'length',
    'then',
    '',
    '0',
    'ключ',
    'a b',
    '${{ 1 }}',
  ],
] as const;
const name = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('a', 'b', 'c', 'rows', 'data') },
  fc.constantFrom(...NAMES),
);

/** Texts of expressions, most of which can be read. */
export const expressionText: fc.Arbitrary<string> = fc.letrec<{ any: string; atom: string }>(
  (tie) => ({
    atom: fc.oneof(
      fc.constantFrom('1', '-0', '1e308', '0xff', 'true', 'null', 'NaN', "''", "'it''s'", "'}}'"),
      fc.constantFrom('params', 'env', 'run.name', 'run.id', 'steps', 'matrix.x', 'secrets.X'),
      fc.tuple(fc.constantFrom('params', 'env'), name).map((parts) => parts.join('.')),
      name.map((id) => `steps.${id}.outputs.value`),
      name.map((id) => `steps['${id}'].outputs.dataset`),
      fc.constantFrom('success()', 'always()', 'cancelled()', 'constructor()', 'eval(1)'),
    ),
    any: fc.oneof(
      { maxDepth: 4, depthIdentifier: 'expression' },
      { weight: 4, arbitrary: tie('atom') },
      fc
        .tuple(tie('any'), fc.constantFrom('==', '!=', '<', '>=', '&&', '||', '-'), tie('any'))
        .map((parts) => parts.join(' ')),
      tie('any').map((inner) => `!${inner}`),
      tie('any').map((inner) => `(${inner})`),
      fc.tuple(tie('any'), name).map(([inner, key]) => `${inner}.${key}`),
      fc.tuple(tie('any'), tie('any')).map(([inner, index]) => `${inner}[${index}]`),
      tie('any').map((inner) => `${inner}.*`),
      fc
        .tuple(
          fc.constantFrom('format', 'join', 'contains', 'toJSON', 'fromJSON', 'startsWith', 'case'),
          fc.array(tie('any'), { maxLength: 3 }),
        )
        .map(([call, values]) => `${call}(${values.join(', ')})`),
      fc
        .array(tie('any'), { minLength: 1, maxLength: 3 })
        .map(
          (values) =>
            `format('${values.map((_, at) => `{${at}}`).join('')}', ${values.join(', ')})`,
        ),
    ),
  }),
).any;

const template = fc.oneof(
  expressionText.map((text) => `\${{ ${text} }}`),
  fc
    .tuple(fc.string({ maxLength: 5 }), expressionText)
    .map(([text, inner]) => `${text}\${{${inner}}}`),
);
const scalar = fc.oneof(
  fc.constantFrom<JsonValue>(...[null, true, 0, 1, -1, 0.5, 1e21, 'yes', '', 'a', DIGEST, '5m']),
  fc.string({ maxLength: 8 }),
  template,
);
const anything: fc.Arbitrary<JsonValue> = fc.oneof(
  { weight: 4, arbitrary: scalar },
  fc.array(scalar, { maxLength: 3 }),
  fc.dictionary(name, scalar, { maxKeys: 3 }),
);

/** Mostly what the language wants there, sometimes anything. */
function mostly(wanted: fc.Arbitrary<JsonValue>): fc.Arbitrary<JsonValue> {
  return fc.oneof({ weight: 12, arbitrary: wanted }, anything);
}

function some(shape: Record<string, fc.Arbitrary<JsonValue>>): fc.Arbitrary<JsonObject> {
  return fc
    .record(shape, { requiredKeys: [] })
    .map((made) => JSON.parse(JSON.stringify(made)) as JsonObject);
}

const inputs = some({
  any: anything,
  dataset: mostly(fc.constantFrom(DIGEST, '${{ steps.a.outputs.dataset }}')),
  take: mostly(fc.constantFrom<JsonValue>(1, '${{ params.rows }}', '${{ fromJSON(params.a) }}')),
  args: mostly(some({ seed: anything, learning_rate: mostly(fc.constant(0.1)) })),
});
const retry = some({ max_attempts: mostly(fc.constant(2)), backoff: mostly(fc.constant('2s')) });
const step = fc
  .tuple(
    fc.constantFrom<JsonValue>('probe@2', 'probe@2', 'probe@2', 'probe@1', 'subset@1', 'train@1'),
    some({
      with: mostly(fc.oneof(inputs, fc.record({ any: anything }))),
      needs: mostly(fc.array(name, { maxLength: 2 })),
      if: mostly(fc.oneof(expressionText, template)),
      runs_on: mostly(fc.constant('cpu')),
      retry: mostly(retry),
      timeout: mostly(fc.constantFrom('6h', '1ms')),
      on_failure: mostly(fc.constantFrom('fail', 'pause')),
      description: mostly(fc.string({ maxLength: 5 })),
    }),
  )
  .map<JsonValue>(([uses, rest]) => ({ uses, ...rest }));
const plainStep = fc.record({ uses: fc.constant('probe@2'), with: fc.record({ any: scalar }) });
const param = some({
  type: mostly(fc.constantFrom('string', 'integer', 'number', 'boolean', 'list')),
  default: anything,
  minimum: mostly(fc.constant(1)),
  enum: mostly(fc.array(scalar, { maxLength: 3 })),
  pattern: mostly(fc.constantFrom('^a', '(a+)+$', '[', '\\1', '(?=x)', 'a{1000}', '\\p{L}')),
});
const params = fc.dictionary(name, mostly(fc.oneof(scalar, param)), { maxKeys: 4 });
const schedule = some({
  cron: mostly(fc.constantFrom('0 3 * * 1', '@daily', '@every 0s', '61 * * * *')),
  timezone: mostly(fc.constantFrom('Europe/Paris', 'UTC', 'europe/paris', 'Mars/Base')),
  overlap: mostly(fc.constantFrom('skip', 'buffer_one')),
  catchup_window: mostly(fc.constantFrom('5m', '1s', '1d')),
  pause_on_failure: mostly(fc.boolean()),
  params: mostly(fc.dictionary(name, anything, { maxKeys: 2 })),
  id: mostly(fc.constantFrom('a', 'b.1')),
});

/** Most keys and values are in their places. */
const wildPipeline: fc.Arbitrary<JsonObject> = fc
  .tuple(
    some({
      description: mostly(fc.string()),
      params: mostly(params),
      env: mostly(fc.dictionary(name, anything, { maxKeys: 3 })),
      defaults: mostly(some({ retry: mostly(retry), max_parallel: mostly(fc.constant(3)) })),
      outputs: mostly(fc.dictionary(name, anything, { maxKeys: 2 })),
      on: mostly(some({ schedule: mostly(fc.array(schedule, { maxLength: 2 })) })),
    }),
    fc.dictionary(name, mostly(fc.oneof(step, plainStep)), { minKeys: 1, maxKeys: 4 }),
  )
  .map(([rest, steps]) => ({ name: 'p', ...rest, steps }));

const sound = fc.constantFrom<JsonValue>(
  ...[null, 1, 'a', [1, 'b'], { constructor: 1 }, '${{ params.rows }}', 'x${{ env.a }}y'],
  ...["${{ format('{0}', params.b) }}", '${{ toJSON(params) }}', '${{ steps.a.outputs.value }}'],
);
const soundStep = fc.record({ uses: fc.constant('probe@2'), with: fc.record({ any: sound }) });

/** Everything is in its place. */
const soundPipeline: fc.Arbitrary<JsonObject> = fc
  .record({ b: soundStep, c: soundStep, outputs: fc.dictionary(fc.constantFrom('x', 'y'), sound) })
  .map(({ b, c, outputs }) => ({
    name: 'p',
    params: { rows: 5, b: 'text' },
    env: { a: true },
    steps: { a: { uses: 'probe@1' }, b, c: { ...c, needs: ['b'], if: 'always()' } },
    outputs,
  }));

/** Pipelines made of the language's keys and kinds. */
export const pipelineObject = fc.oneof(
  { weight: 3, arbitrary: wildPipeline },
  { weight: 1, arbitrary: soundPipeline },
);

/** What a submission may give for params. */
export const givenParams: fc.Arbitrary<JsonObject> = fc.dictionary(name, anything, { maxKeys: 3 });
