import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { check, compile, formatDiagnostics } from '../../language/compile.ts';
import { parseYaml } from '../../language/parse.ts';
import { type PipelineText, readSource } from '../../language/source.ts';
import type { JsonObject } from '../../plan/json.ts';
import { catalog } from './catalog.ts';

const valid = path.join(import.meta.dirname, 'golden/valid');
const tweets = readFileSync(path.join(valid, 'tweet-sentiment.yaml'), 'utf8');

function messages(source: PipelineText): string {
  const result = compile({ source, catalog });
  return result.ok ? 'ok' : formatDiagnostics(result.diagnostics);
}

test.each<[string, PipelineText, string]>([
  [
    'nothing',
    '',
    'pipeline.yaml:1:1: the file is empty; a pipeline has at least name: NAME and steps: { ... } [source]\n\n^',
  ],
  [
    'bytes that are not UTF-8',
    Uint8Array.from([...Buffer.from('name: caf'), 0xe9, ...Buffer.from('\nsteps: {}\n')]),
    'pipeline.yaml:1:10: byte 9 is not UTF-8; save the file as UTF-8 [source]\nname: caf\uFFFD\n         ^',
  ],
  [
    'UTF-16',
    Buffer.from('\uFEFFname: p\n', 'utf16le'),
    'pipeline.yaml:1:1: the file is UTF-16; expected UTF-8; save it as UTF-8 [source]\n\n^',
  ],
  [
    'too many bytes',
    `name: p\n#${'x'.repeat(1024 * 1024)}`,
    'pipeline.yaml:1:1: the file has more than 1048576 bytes; split the pipeline [source]\n\n^',
  ],
  [
    'too many tokens',
    `name: p\nenv: { A: [${'1,'.repeat(160_000)}] }`,
    'pipeline.yaml:1:1: the file has more than 300000 YAML tokens; split the pipeline [yaml]\nname: p\n^',
  ],
  [
    'an object too deep',
    JSON.parse(`${'{"a":'.repeat(70)}1${'}'.repeat(70)}`) as JsonObject,
    'pipeline.yaml:1:1: the object nests more than 64 levels deep; flatten it [source]\n\n^',
  ],
  [
    'a list',
    [] as unknown as JsonObject,
    'pipeline.yaml:1:1: the pipeline is not a map; expected YAML as text, or an object [source]\n\n^',
  ],
  [
    'an object, in the YAML that stands for it',
    { name: 'p', steps: { a: { uses: 'probe@1', need: ['b'] } } },
    "pipeline.yaml:5:5: unknown key 'need' in step 'a'; did you mean 'needs'? [unknown-key]\n    need:\n    ^~~~",
  ],
  [
    'control characters, made visible',
    'name: "a\u001b[31mb"\nsteps: { a: { uses: probe@1 } }\n',
    "pipeline.yaml:1:7: 'name' is 'a␛[31mb'; expected letters, digits, '-', '_', '.'; write a-31mb [name]\nname: \"a␛[31mb\"\n      ^~~~~~~~~",
  ],
])('%s', (_, source, expected) => {
  expect(messages(source)).toBe(expected);
});

test('bytes, text and object give the same plan', () => {
  const fromText = compile({ source: tweets, catalog });
  const root = parseYaml(readSource(tweets, 'tweets.yaml'));
  expect(root).toBeDefined();
  const fromBytes = compile({ source: new TextEncoder().encode(tweets), catalog });
  expect(fromBytes).toEqual(fromText);
  const object = {
    name: 'o',
    params: { rate: 5e-5, id: '007', on: 'yes' },
    steps: { a: { uses: 'probe@2', with: { any: '${{ params }}' }, if: true } },
  };
  const yaml = `
name: o
params: { rate: 5e-5, id: '007', on: yes }
steps:
  a:
    uses: probe@2
    with: { any: "\${{ params }}" }
    if: true
`;
  expect(compile({ source: object, catalog })).toEqual(compile({ source: yaml, catalog }));
  expect(compile({ source: JSON.stringify(object, null, '\t'), catalog })).toEqual(
    compile({ source: yaml, catalog }),
  );
});

test('check asks no value for a param without default, compile does', () => {
  const source = `
name: p
params: { rows: { type: integer } }
steps:
  a:
    uses: subset@1
    with: { dataset: sha256:${'0'.repeat(64)}, take: "\${{ params.rows }}", skip: "\${{ params.rows > 5 }}" }
`;
  const rules = check({ source, catalog }).map(({ rule, line, column }) => [rule, line, column]);
  expect(rules).toEqual([['wire', 7, 129]]);
  expect(compile({ source, catalog, params: { rows: 0 } })).toMatchObject({
    diagnostics: [
      {
        rule: 'with',
        message: "'take' is 0, from '${{ params.rows }}'; expected an integer above 0",
      },
      {
        rule: 'with',
        message:
          "'skip' is false, from '${{ params.rows > 5 }}'; expected an integer of at least 0",
      },
    ],
  });
  expect(compile({ source, catalog })).toMatchObject({
    diagnostics: [{ rule: 'param-value' }, { rule: 'wire' }],
  });
});

test.each([
  'download-dataset',
  'download-model',
  'subset',
  'tokenize',
  'train',
  'evaluate',
  'register',
  'ruled',
])("the snippet for %s without 'with' is what it takes", (kind) => {
  const lines = tweets.split('\n').filter((line) => !/^(on|  schedule):/.test(line));
  const without = [...lines, '  new:', `    uses: ${kind}@1`].join('\n');
  const before = compile({ source: without, catalog });
  const message = before.ok
    ? '; add with: {}'
    : (before.diagnostics.find(({ severity }) => severity === 'error')?.message ?? '');
  const snippet = message.split('; add ')[1] ?? '';
  expect(snippet).toMatch(/^with: \{/);
  expect(messages(`${without}\n    ${snippet}`)).toBe('ok');
});

/** A chain of subsets, each of the one before. */
function chain(steps: number): string {
  const lines = [
    'name: chain',
    'steps:',
    "  s0: { uses: download-dataset@1, with: { source: 'file:a.jsonl', text: text } }",
  ];
  for (let index = 1; index < steps; index += 1) {
    const input = `\${{ steps.s${index - 1}.outputs.dataset }}`;
    lines.push(`  s${index}: { uses: subset@1, with: { dataset: "${input}", take: ${index} } }`);
  }
  return lines.join('\n');
}

test('a thousand steps compile', () => {
  const result = compile({ source: chain(1000), catalog });
  expect(result.ok && result.plan.steps.map(({ needs }) => needs.length)).toEqual([
    0,
    ...Array.from({ length: 999 }, () => 1),
  ]);
});

test('more steps, and larger plans, than Temporal can carry are refused', () => {
  const steps = Array.from({ length: 5001 }, (_, index) => `  s${index}: { uses: probe@1 }`);
  expect(messages(['name: p', 'steps:', ...steps].join('\n'))).toBe(
    "pipeline.yaml:2:1: 'steps' has 5001 steps; expected at most 5000; split the pipeline [limit]\nsteps:\n^~~~~",
  );
  const repeated = Array.from({ length: 50 }, (_, index) => `  s${index}: *step`);
  const step = `  first: &step { uses: probe@2, with: { any: ${'x'.repeat(35_000)} } }`;
  const large = ['name: p', 'steps:', step, ...repeated].join('\n');
  expect(messages(large)).toBe(
    'pipeline.yaml:1:1: the compiled plan has 1794866 bytes with its params; expected at most 1572864; split the pipeline [limit]\nname: p\n^',
  );
  expect(formatDiagnostics(check({ source: large, catalog }))).toBe(messages(large));
});

test('a plan of as many small steps as there may be fits', () => {
  const digest = `sha256:${'0'.repeat(64)}`;
  const steps = Array.from(
    { length: 5000 },
    (_, index) => `  s${index}: { uses: subset@1, with: { dataset: ${digest} } }`,
  );
  expect(compile({ source: ['name: p', 'steps:', ...steps].join('\n'), catalog }).ok).toBe(true);
});

test('thousands of expressions without quotes are all found', () => {
  const entries = Array.from({ length: 3000 }, (_, index) => `k${index}: \${{ params.p${index} }}`);
  const source = `name: p\nenv: { ${entries.join(', ')} }\nsteps: { a: { uses: probe@1 } }\n`;
  const messagesFound = check({ source, catalog }).map(({ message }) => message);
  expect(messagesFound).toEqual(
    entries.map(() => 'an expression inside { } or [ ] has to be in double quotes'),
  );
});

test('thousands of steps that lack everything get their snippets', () => {
  const steps = Array.from(
    { length: 4000 },
    (_, index) => `  s${index}: { uses: train@1, needs: [none${index}] }`,
  );
  const found = check({ source: ['name: p', 'steps:', ...steps].join('\n'), catalog });
  expect(found.filter(({ rule }) => rule === 'reference')).toHaveLength(4000);
  expect(found.findLast(({ rule }) => rule === 'missing-key')?.message).toBe(
    'step \'s3999\' has no \'with\', and train@1 needs one; add with: { model: "${{ steps.s3998.outputs.model }}", task: text-classification, train_dataset: "${{ steps.ID.outputs.dataset }}" }',
  );
});

test('an empty list of a param beside a list of an earlier step is no mistake', () => {
  const source = {
    name: 'p',
    params: { languages: { type: 'list', default: [] } },
    steps: {
      data: { uses: 'download-dataset@1', with: { source: 'file:a.csv', text: 'text' } },
      each: {
        uses: 'download-dataset@1',
        strategy: {
          matrix: {
            label: '${{ steps.data.outputs.labels }}',
            language: '${{ params.languages }}',
          },
        },
        with: { source: 'file:${{ matrix.language }}.csv', text: '${{ matrix.label }}' },
      },
    },
  };
  expect(messages(source)).toBe('ok');
});

test('whether a step has put out a word at all may be asked', () => {
  const source = {
    name: 'p',
    steps: {
      one: { uses: 'probe@1', if: false },
      two: { uses: 'probe@1', if: "always() && steps.one.result == ''" },
    },
  };
  expect(messages(source)).not.toContain('is never');
});

test('a cycle through every step is found, and shown shortened', () => {
  const source = chain(1000).replace('text: text', 'text: "${{ steps.s999.outputs.rows }}"');
  const result = compile({ source, catalog });
  const found = result.ok ? [] : result.diagnostics.filter(({ rule }) => rule === 'cycle');
  expect(found.map(({ line, message }) => [line, message])).toEqual([
    [
      3,
      'steps wait for one another: s0 → s999 → s998 → s997 → s996 → s995 → s994 → s993 → s992 → s991 → ... → s0; remove one of these edges',
    ],
  ]);
});

test('thousands of mistakes are all found, and a hundred shown', () => {
  const source = chain(3000).replaceAll('.outputs.dataset', '.outputs.datset');
  const result = compile({ source, catalog });
  expect(result.ok ? 0 : result.diagnostics.length).toBe(2999);
  expect(messages(source).endsWith('\n... and 2899 more')).toBe(true);
});
