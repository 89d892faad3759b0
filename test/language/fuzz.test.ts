import fc from 'fast-check';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { compile } from '../../language/compile.ts';
import { toJson } from '../../language/located.ts';
import { parseOptions } from '../../language/options.ts';
import { readParamTexts } from '../../language/param-texts.ts';
import { parseYaml } from '../../language/parse.ts';
import { readSource } from '../../language/source.ts';
import { evaluateTemplate, ExpressionError, parseExpression } from '../../plan/expressions.ts';
import type { JsonObject } from '../../plan/json.ts';
import { catalog } from './catalog.ts';
import { catalogOf, corpus, editedBytes, editedText, type Written } from './corpus.ts';
import { expressionText, givenParams, pipelineObject } from './pipelines.ts';
import { expectSound } from './soundness.ts';

// 10,000 inputs in all, the same ones each time.
const seed = 7;

/** A pipeline that compiles does so from its own values as JSON, to the same plan. */
function expectSameFromObject(written: Written): void {
  const { text } = written;
  const compiled = compile({ source: text, catalog: catalogOf(written) });
  const root = parseYaml(readSource(text, 'pipeline.yaml'));
  if (!compiled.ok || root === undefined) return;
  const again = compile({ source: toJson(root) as JsonObject, catalog: catalogOf(written) });
  expect(again.ok ? again.plan : again.diagnostics).toEqual(compiled.plan);
}

test('every file of the corpus, as it is', () => {
  let compiled = 0;
  for (const written of corpus) {
    if (expectSound({ source: written.text, catalog: catalogOf(written) })) compiled += 1;
    expectSameFromObject(written);
  }
  expect(compiled).toBeGreaterThan(10);
});

test('files with edited text', () => {
  let compiled = 0;
  fc.assert(
    fc.property(editedText, (written) => {
      if (!expectSound({ source: written.text, catalog: catalogOf(written) })) return;
      compiled += 1;
      expectSameFromObject(written);
    }),
    { numRuns: 2500, seed },
  );
  expect(compiled).toBeGreaterThan(5);
});

test('files with edited bytes', () => {
  let refused = 0;
  fc.assert(
    fc.property(editedBytes, (edited) => {
      if (!expectSound({ source: edited.bytes, catalog: catalogOf(edited) })) refused += 1;
    }),
    { numRuns: 2000, seed },
  );
  expect(refused).toBeGreaterThan(1000);
});

test('bytes and texts of any kind', () => {
  const bytes = fc.uint8Array({ maxLength: 200 });
  const text = fc.string({ maxLength: 200, unit: 'binary' });
  fc.assert(
    fc.property(fc.oneof(bytes, text), (source) => {
      expect(expectSound({ source, catalog })).toBe(false);
    }),
    { numRuns: 1000, seed },
  );
});

test('pipelines made of its keys and kinds, as objects and as YAML', () => {
  let compiled = 0;
  const styles = fc.constantFrom('object', 'json', 'block', 'flow');
  fc.assert(
    fc.property(pipelineObject, givenParams, styles, (made, params, style) => {
      const object = JSON.parse(JSON.stringify(made)) as JsonObject;
      const source =
        style === 'object'
          ? object
          : style === 'json'
            ? JSON.stringify(object)
            : stringify(object, { collectionStyle: style === 'flow' ? 'flow' : 'block' });
      expectSound({ source, catalog, params });
      if (expectSound({ source, catalog })) compiled += 1;
    }),
    { numRuns: 2000, seed },
  );
  expect(compiled).toBeGreaterThan(200);
});

test('expressions', () => {
  const contexts = {
    params: { a: 'a', rows: 5, data: [1, 'b', null], constructor: 'own' },
    env: { a: { b: [{ c: 1 }] } },
    steps: { a: { outputs: { value: [[1], [2]], dataset: 'sha256:00' } } },
    run: { name: 'p', id: 'r' },
  };
  let evaluated = 0;
  const damaged = fc
    .tuple(expressionText, fc.option(fc.tuple(fc.nat(40), fc.string({ maxLength: 2 }))))
    .map(([text, edit]) =>
      edit === null ? text : text.slice(0, edit[0]) + edit[1] + text.slice(edit[0] + 1),
    );
  fc.assert(
    fc.property(damaged, (text) => {
      try {
        parseExpression(text);
        const value = evaluateTemplate(`\${{${text}}}`, contexts);
        expect(JSON.parse(JSON.stringify(value))).toEqual(value);
        evaluated += 1;
      } catch (error) {
        if (!(error instanceof ExpressionError)) throw error;
        expect(error.start).toBeGreaterThanOrEqual(0);
        expect(error.end).toBeLessThanOrEqual(text.length);
        expect(error.start).toBeLessThanOrEqual(error.end);
      }
    }),
    { numRuns: 1500, seed },
  );
  expect(evaluated).toBeGreaterThan(300);
});

test('params and options', () => {
  const source = `
name: p
params:
  a: { type: string, pattern: '^[a-z]*$' }
  b: 1
  c: { type: list, default: [] }
  rows: { type: number, minimum: 0 }
  data: { type: boolean }
steps: { a: { uses: probe@2, with: { any: "\${{ params.c }}", pair: ["\${{ params.b }}", 1] } } }
`;
  const value = fc.oneof(fc.string({ maxLength: 12 }), fc.json({ maxDepth: 2 }));
  const texts = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'rows', 'data', '__proto__'), value);
  fc.assert(
    fc.property(texts, givenParams, fc.jsonValue(), (given, params, options) => {
      const read = readParamTexts(source, new Map(Object.entries(given)));
      for (const problem of read.problems) expect(problem).not.toBe('');
      expectSound({ source, catalog, params: read.params });
      for (const raw of [{ params }, options, JSON.stringify(options)]) {
        const parsed = parseOptions(raw as JsonObject);
        if (parsed.ok) expectSound({ source, catalog, params: parsed.options.params ?? {} });
        else expect(parsed.message).not.toBe('');
      }
    }),
    { numRuns: 1000, seed },
  );
});
