import { beforeEach, expect, test } from 'vitest';
import { putArtifact } from '../../store/artifacts.ts';
import { listModels, register, resolveModel } from '../../store/registry.ts';
import type { Registration } from '../../store/registry.ts';
import type { ArtifactDigest, Store } from '../../store/store.ts';
import { failureOf, temporaryStore } from './stores.ts';

let store: Store;
beforeEach(async () => {
  store = await temporaryStore();
});

function modelOf(text: string): Promise<ArtifactDigest> {
  const files = { 'model.safetensors': Buffer.from(text) };
  return putArtifact(store, { type: 'model', metadata: {}, files });
}

async function registrationOf(
  text: string,
  more: Partial<Registration> = {},
): Promise<Registration> {
  const model = await modelOf(text);
  const by = { run: 'nightly', execution: `${more.run ?? 'nightly'}, monday`, step: 'publish' };
  return { name: 'tweets', model, alias: 'champion', promote: 'always', ...by, ...more };
}

test('each model gets the next version, and the alias moves to it', async () => {
  const lineage = [{ artifact: 'x' }];
  const first = await registrationOf('a', { lineage, evaluation: await modelOf('report') });
  expect(await register(store, first)).toEqual({
    version: 1,
    aliases: ['champion'],
    existing: false,
    promoted: true,
  });
  const second = await registrationOf('b', { run: 'nightly-2' });
  expect(await register(store, second)).toEqual({
    version: 2,
    aliases: ['champion'],
    existing: false,
    promoted: true,
  });
  expect(await listModels(store)).toEqual([
    {
      name: 'tweets',
      versions: [
        {
          version: 1,
          model: first.model,
          evaluations: [
            {
              report: first.evaluation,
              ...{ run: 'nightly', execution: 'nightly, monday', step: 'publish' },
            },
          ],
          lineage,
          registeredBy: { run: 'nightly', execution: 'nightly, monday', step: 'publish' },
          createdAt: expect.any(Number),
          promotions: [
            { alias: 'champion', run: 'nightly', execution: 'nightly, monday', step: 'publish' },
          ],
        },
        {
          version: 2,
          model: second.model,
          evaluations: [],
          lineage: null,
          registeredBy: { run: 'nightly-2', execution: 'nightly-2, monday', step: 'publish' },
          createdAt: expect.any(Number),
          promotions: [
            {
              alias: 'champion',
              run: 'nightly-2',
              execution: 'nightly-2, monday',
              step: 'publish',
            },
          ],
        },
      ],
      aliases: { champion: 2 },
    },
  ]);
});

test('promote: never leaves the alias where it is', async () => {
  await register(store, await registrationOf('a'));
  const result = await register(store, await registrationOf('b', { promote: 'never' }));
  expect(result).toEqual({ version: 2, aliases: [], existing: false, promoted: false });
  expect((await listModels(store))[0]?.aliases).toEqual({ champion: 1 });
});

test('the same model is the same version; another run takes the alias back to it', async () => {
  await register(store, await registrationOf('a'));
  await register(store, await registrationOf('b', { run: 'other' }));
  const again = await register(store, await registrationOf('a', { run: 'third' }));
  expect(again).toEqual({ version: 1, aliases: ['champion'], existing: true, promoted: true });
  expect((await listModels(store))[0]?.versions).toHaveLength(2);
});

test('another submission of the same run takes the alias back, too', async () => {
  const first = await registrationOf('a');
  await register(store, first);
  await register(store, await registrationOf('b'));
  const again = await register(store, { ...first, execution: 'nightly, tuesday' });
  expect(again).toEqual({ version: 1, aliases: ['champion'], existing: true, promoted: true });
});

test('a model that is registered again has one more report; a late retry adds none', async () => {
  const reports = async (): Promise<readonly ArtifactDigest[]> => {
    const { version } = await resolveModel(store, 'tweets@1');
    return version.evaluations.map(({ report }) => report);
  };
  const [older, newer] = [await modelOf('older'), await modelOf('newer')];
  await register(store, await registrationOf('a'));
  expect(await reports()).toEqual([]);
  const monday = await registrationOf('a', { evaluation: older });
  await register(store, monday);
  await register(store, { ...monday, evaluation: newer, execution: 'nightly, tuesday' });
  await register(store, monday);
  expect(await reports()).toEqual([older, newer]);
});

test('a late retry of the same step does not take the alias back', async () => {
  const first = await registrationOf('a');
  await register(store, first);
  await register(store, await registrationOf('b', { run: 'other' }));
  expect(await register(store, first)).toEqual({
    ...{ version: 1, aliases: [], existing: true },
    promoted: true,
  });
  expect(await register(store, { ...first, alias: 'fallback' })).toEqual({
    version: 1,
    aliases: ['fallback'],
    existing: true,
    promoted: true,
  });
  expect((await listModels(store))[0]?.aliases).toEqual({ champion: 2, fallback: 1 });
});

test('registrations at once lose no version', async () => {
  const registrations = await Promise.all(
    Array.from({ length: 8 }, (_, index) => registrationOf(`${index}`, { run: `run-${index}` })),
  );
  const results = await Promise.all(registrations.map((each) => register(store, each)));
  expect(results.map(({ version }) => version).sort((a, b) => a - b)).toEqual([
    1, 2, 3, 4, 5, 6, 7, 8,
  ]);
  for (const [index, { version }] of results.entries()) {
    const resolved = await resolveModel(store, `tweets@${version}`);
    expect(resolved.version.model).toBe(registrations[index]!.model);
  }
});

test('a model is found by name, alias or version', async () => {
  await register(store, await registrationOf('a'));
  await register(store, await registrationOf('b', { alias: 'candidate' }));
  await register(store, await registrationOf('c', { name: 'org/news', promote: 'never' }));
  const versions = async (...references: string[]): Promise<string[]> => {
    const found = await Promise.all(references.map((each) => resolveModel(store, each)));
    return found.map(
      ({ name, version, aliases }) => `${name} ${version.version} ${aliases.join()}`,
    );
  };
  expect(
    await versions(
      'tweets',
      'tweets@champion',
      'tweets@1',
      'tweets@v1',
      'tweets@candidate',
      'org/news',
    ),
  ).toEqual([
    'tweets 1 champion',
    'tweets 1 champion',
    'tweets 1 champion',
    'tweets 1 champion',
    'tweets 2 candidate',
    'org/news 1 ',
  ]);
});

test('what is not there is named, with the nearest and the list', async () => {
  expect(await failureOf(resolveModel(store, 'tweets'))).toBe(
    'NotFound: no model named "tweets" is registered, nor any other: ' +
      "a pipeline's register@1 step does that",
  );
  await register(store, await registrationOf('a'));
  await register(store, await registrationOf('b', { name: 'news' }));
  expect(await failureOf(resolveModel(store, 'tweet'))).toBe(
    'NotFound: no model named "tweet" is registered (did you mean "tweets"?); registered: news, tweets',
  );
  expect(await failureOf(resolveModel(store, 'reviews'))).toBe(
    'NotFound: no model named "reviews" is registered; registered: news, tweets',
  );
  expect(await failureOf(resolveModel(store, 'tweets@champoin'))).toBe(
    'NotFound: model "tweets" has no alias "champoin" (did you mean "champion"?); ' +
      'aliases: champion; versions: 1',
  );
  expect(await failureOf(resolveModel(store, 'tweets@constructor'))).toBe(
    'NotFound: model "tweets" has no alias "constructor"; aliases: champion; versions: 1',
  );
  expect(await failureOf(resolveModel(store, 'tweets@7'))).toBe(
    'NotFound: model "tweets" has no version "7"; aliases: champion; versions: 1',
  );
});

test.each(['', '@champion', 'tweets@', 'a@b@c', '../x', 'a b'])('%j is no model', async (text) => {
  expect(await failureOf(resolveModel(store, text))).toBe(
    `InvalidInput: ${JSON.stringify(text)} is not a model: ` +
      'expected NAME, NAME@ALIAS or NAME@VERSION',
  );
});

test.each([
  [
    { name: 'a/../b' },
    '"a/../b" is not a model name: expected letters, digits, . _ - and / between parts',
  ],
  [
    { name: 'tweets@3' },
    '"tweets@3" is not a model name: expected letters, digits, . _ - and / between parts',
  ],
  ...['3', 'v3'].map((alias): [{ alias: string }, string] => [
    { alias },
    `"${alias}" is not an alias: expected a letter, then letters, digits, '.', '_', '-', ` +
      'but no version such as v3',
  ]),
])('a registration with %j is refused', async (more, message) => {
  expect(await failureOf(register(store, await registrationOf('a', more)))).toBe(
    `InvalidInput: ${message}`,
  );
  expect(await listModels(store)).toEqual([]);
});

test('only a model can be registered', async () => {
  const dataset = await putArtifact(store, { type: 'dataset', metadata: {}, files: {} });
  const registration = { ...(await registrationOf('a')), model: dataset };
  expect(await failureOf(register(store, registration))).toBe(
    `InvalidInput: artifact ${dataset} is a dataset, expected a model: ` +
      'wire an output of type model here',
  );
});
