import { beforeEach, describe, expect, test } from 'vitest';
import { register } from '../../activities/register.ts';
import type { JsonObject, JsonValue } from '../../plan/json.ts';
import { putArtifact } from '../../store/artifacts.ts';
import { publish } from '../../store/cache.ts';
import { listModels } from '../../store/registry.ts';
import type { ArtifactDigest } from '../../store/store.ts';
import { KindRunner } from './kind-runner.ts';

let kinds: KindRunner;
/** Rows to evaluate on, tokenized. */
let monday: ArtifactDigest;
let tuesday: ArtifactDigest;

beforeEach(async () => {
  kinds = await KindRunner.open();
  [monday, tuesday] = [await tokens('monday'), await tokens('tuesday')];
});

const put = (type: string, text: string, metadata: JsonObject = {}): Promise<ArtifactDigest> =>
  putArtifact(kinds.store, { type, metadata, files: { file: Buffer.from(text) } });

const modelOf = (text: string): Promise<ArtifactDigest> => put('model', text);

/** What tokenize@1 has made of rows with a tokenizer. */
async function tokens(rows: string, tokenizer = 'a'): Promise<ArtifactDigest> {
  const dataset = await put('tokenized-dataset', `${rows} by ${tokenizer}`);
  await publish(kinds.store, {
    fingerprint: `tokenize ${rows} by ${tokenizer}`,
    kind: 'tokenize@1',
    inputs: { dataset: await put('dataset', rows), tokenizer: await modelOf(tokenizer) },
    outputs: { dataset },
    createdAt: 0,
  });
  return dataset;
}

type Scores = Readonly<Record<string, number>>;

function reportOf(model: ArtifactDigest, dataset: ArtifactDigest, scores: Scores) {
  return putArtifact(kinds.store, {
    ...{ type: 'report', metadata: { model, dataset } },
    files: { 'report.json': Buffer.from(JSON.stringify({ ...scores, examples: 40 })) },
  });
}

/** Registers the model of this text, with what it scored, by another run each time. */
let runs = 0;
async function challenge(
  text: string,
  scores: Scores,
  { on = monday, run = `execution ${++runs}`, ...more }: JsonObject & Partial<Challenge> = {},
): Promise<Record<string, JsonValue>> {
  const model = await modelOf(text);
  const evaluation = await reportOf(model, on, scores);
  const fixed = { name: 'm', alias: 'champion', promote: 'if_better' };
  return kinds.run(register, { ...fixed, model, evaluation, ...more }, run);
}
interface Challenge {
  readonly on: ArtifactDigest;
  readonly run: string;
}

const aliases = async (): Promise<unknown> => (await listModels(kinds.store))[0]?.aliases;
const note = (): string | undefined => kinds.notes.at(-1);

const REMEDY =
  'evaluate it on the data of this one, register that report with it (register@1 with promote: ' +
  'never), and run this again; or set promote: always';

test('the first version is promoted, and after it only what has a lower loss', async () => {
  expect(await challenge('a', { loss: 0.9 })).toEqual({
    ...{ version: 1, aliases: ['champion'], url: 'registry:m@1' },
    ...{ promoted: true, comparison: null },
  });
  expect(note()).toBe("registered as v1; promoted: no version was 'champion' before");

  expect(await challenge('b', { loss: 1.25 })).toEqual({
    ...{ version: 2, aliases: [], url: 'registry:m@2', promoted: false },
    comparison: { metric: 'loss', value: 1.25, champion: 1, champion_value: 0.9, gain: -0.35 },
  });
  expect(note()).toBe(
    "registered as v2; not promoted: loss 1.25 is not better than the 0.9 of v1, which stays 'champion'",
  );

  expect(await challenge('c', { loss: 0.5 })).toMatchObject({
    promoted: true,
    comparison: { champion: 1, gain: 0.4 },
  });
  expect(note()).toBe(
    "registered as v3; promoted: loss 0.5 is better than the 0.9 of v1, which was 'champion'",
  );
  expect(await aliases()).toEqual({ champion: 3 });
});

describe.each([
  { metric: 'accuracy', before: 0.2, after: 0.3 },
  { metric: 'loss', before: 0.3, after: 0.2 },
])('by $metric', ({ metric, before, after }) => {
  test.each([
    { min_gain: 0.1, promoted: true },
    { min_gain: 0.1001, promoted: false },
  ])('a gain of 0.1 with min_gain $min_gain', async ({ min_gain, promoted }) => {
    await challenge('a', { [metric]: before }, { metric });
    const outputs = await challenge('b', { [metric]: after }, { metric, min_gain });
    expect(outputs).toMatchObject({ promoted, comparison: { metric, gain: 0.1 } });
    const text = `${metric} ${after} is better than the ${before} of v1`;
    expect(note()).toBe(
      promoted
        ? `registered as v2; promoted: ${text}, which was 'champion'`
        : `registered as v2; not promoted: ${text}, which stays 'champion': by 0.1, less than min_gain 0.1001`,
    );
  });
});

test('what is as good stays behind the champion', async () => {
  await challenge('a', { loss: 0.5 });
  expect(await challenge('b', { loss: 0.5 })).toMatchObject({
    promoted: false,
    comparison: { gain: 0 },
  });
});

test('the champion itself is compared with nothing', async () => {
  await challenge('a', { loss: 0.5 });
  expect(await challenge('a', { loss: 0.5 })).toMatchObject({
    ...{ version: 1, promoted: false, comparison: null },
  });
  expect(note()).toBe(
    "the same model was registered before, as v1; not promoted: it is 'champion' already",
  );
});

test('scores of other data are not compared, until the champion has a report on them', async () => {
  await challenge('a', { loss: 0.9 }, { on: monday });
  expect(await challenge('b', { loss: 0.1 }, { on: tuesday })).toMatchObject({
    ...{ version: 2, promoted: false, comparison: null },
  });
  expect(note()).toBe(
    "registered as v2; not promoted: v1, which stays 'champion', has no evaluation on the same " +
      `data: ${REMEDY}`,
  );
  await challenge('a', { loss: 0.8 }, { on: tuesday, promote: 'never' });
  expect(await challenge('b', { loss: 0.1 }, { on: tuesday })).toMatchObject({
    ...{ version: 2, promoted: true, comparison: { champion: 1, champion_value: 0.8 } },
  });
});

test('a champion without a report keeps its alias', async () => {
  const model = await modelOf('a');
  await kinds.run(register, { model, name: 'm', alias: 'champion' });
  await challenge('b', { loss: 0.1 });
  expect(note()).toBe(
    "registered as v2; not promoted: v1, which stays 'champion', was registered without an " +
      `evaluation: ${REMEDY}`,
  );
});

test('a report of the champion that is gone is passed over', async () => {
  await challenge('a', { loss: 0.9 });
  await challenge('a', { loss: 0.8 }, { promote: 'never' });
  const [model] = await listModels(kinds.store);
  await kinds.store.deleteBlob(model!.versions[0]!.evaluations[1]!.report);
  expect(await challenge('b', { loss: 0.5 })).toMatchObject({
    comparison: { champion_value: 0.9 },
  });
});

test.each([
  { of: 'a classifier', scores: { accuracy: 0.5, loss: 0.9 }, isCompared: true },
  { of: 'a language model', scores: { perplexity: 2, loss: 0.9 }, isCompared: false },
])(
  'scores of $of on the same rows by another tokenizer: compared is $isCompared',
  async ({ scores, isCompared }) => {
    await challenge('a', scores, { on: await tokens('rows', 'a') });
    const after = await challenge('b', { ...scores, loss: 0.5 }, { on: await tokens('rows', 'b') });
    expect(after['promoted']).toBe(isCompared);
  },
);

test('a metric that the report does not have is refused, and nothing is registered', async () => {
  await expect(
    challenge('a', { accuracy: 0.5, loss: 1 }, { metric: 'perplexity' }),
  ).rejects.toMatchObject({
    type: 'InvalidInput',
    message: "the report in evaluation has no metric 'perplexity'; expected one of accuracy, loss",
  });
  expect(await listModels(kinds.store)).toEqual([]);
});

test('a report of another model, or of none, is refused', async () => {
  const other = await modelOf('other');
  const strange = await reportOf(other, monday, { loss: 1 });
  await expect(challenge('a', {}, { evaluation: strange })).rejects.toMatchObject({
    type: 'InvalidInput',
    message:
      `evaluation is of ${other}, expected of the model that is registered: wire the report of ` +
      'the evaluate@1 step that has scored it',
  });
  const table = await put('report', 'a table of select@1');
  await expect(challenge('a', {}, { evaluation: table })).rejects.toMatchObject({
    type: 'InvalidInput',
    message: 'evaluation is a report without report.json: wire the report of an evaluate@1 step',
  });
});

test('a late retry of a step decides nothing anew', async () => {
  await challenge('a', { loss: 0.9 });
  const promoted = await challenge('b', { loss: 0.5 }, { run: 'tuesday' });
  const refused = await challenge('c', { loss: 0.7 }, { run: 'wednesday' });
  await challenge('d', { loss: 0.8 }, { promote: 'always' });
  expect(await challenge('c', { loss: 0.7 }, { run: 'wednesday' })).toEqual(refused);
  expect(await challenge('b', { loss: 0.5 }, { run: 'tuesday' })).toEqual({
    ...promoted,
    aliases: [],
  });
  expect(await aliases()).toEqual({ champion: 4 });
  expect(await challenge('c', { loss: 0.7 }, { run: 'thursday' })).toMatchObject({
    promoted: true,
  });
});

test('of registrations at once the best is the champion in the end', async () => {
  await challenge('first', { loss: 1 });
  const losses = [0.9, 0.3, 0.8, 0.2, 0.7, 0.6];
  const outputs = await Promise.all(losses.map((loss) => challenge(`${loss}`, { loss })));
  const [model] = await listModels(kinds.store);
  const best = outputs[losses.indexOf(0.2)]!;
  expect(best['promoted']).toBe(true);
  expect(model?.aliases).toEqual({ champion: best['version'] });
  expect(outputs.map(({ version }) => Number(version)).sort((a, b) => a - b)).toEqual([
    2, 3, 4, 5, 6, 7,
  ]);
  // Each was compared with what was champion when it was written.
  const lossOf = new Map(outputs.map(({ version }, index) => [version, losses[index]]));
  for (const [index, { comparison }] of outputs.entries()) {
    const { champion, champion_value } = comparison as JsonObject;
    expect(champion_value).toBe(lossOf.get(champion ?? 0) ?? 1);
    expect(outputs[index]?.['promoted']).toBe(losses[index]! < Number(champion_value));
  }
});
