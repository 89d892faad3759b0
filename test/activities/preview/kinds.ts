import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { AnyStep } from '../../../activities/catalog.ts';
import type { StepContext } from '../../../activities/step-context.ts';
import { artifact, defineStep } from '../../../language/step-declaration.ts';
import { Failure } from '../../../plan/failures.ts';
import type { ArtifactDigest } from '../../../plan/plan.ts';
import { artifactFile, putArtifact, readManifest } from '../../../store/artifacts.ts';

async function textOf({ store }: StepContext, dataset: ArtifactDigest): Promise<string> {
  const manifest = await readManifest(store, dataset);
  return readFile(await artifactFile(store, manifest, 'text'), 'utf8');
}

async function textArtifact({ store }: StepContext, text: string): Promise<ArtifactDigest> {
  const files = { text: new TextEncoder().encode(text) };
  return putArtifact(store, { type: 'dataset', metadata: {}, files });
}

async function fileOf({ env }: StepContext, file: string): Promise<string> {
  try {
    return await readFile(join(env['RETUNE_DATA_ROOT'] ?? '', file), 'utf8');
  } catch (cause) {
    throw new Failure('NotFound', `there is no file ${file}`, { cause });
  }
}

const text = { dataset: artifact('dataset') };

/** `append` gives another output for another input; `head` mostly the same, as of a filter. */
function rewriting(kind: string, revision: number): unknown {
  return defineStep({
    ...{ kind, version: 1, revision, effect: 'pure', role: 'work', summary: 'Rewrite a text.' },
    with: z.strictObject({
      dataset: artifact('dataset'),
      mode: z.enum(['append', 'head']).default('append'),
      text: z.string().default('x'),
    }),
    outputs: text,
    async run(context: StepContext, { dataset, mode, text: added }) {
      const found = await textOf(context, dataset);
      const kept = mode === 'append' ? found : (found.split('\n')[0] ?? '');
      return { dataset: await textArtifact(context, `${kept}\n${added}`) };
    },
  });
}

/** Light kinds of every effect and role. @param refineRevision of the kind that is improved on */
export function lightKinds(refineRevision: number): readonly AnyStep[] {
  const kinds: readonly unknown[] = [
    defineStep({
      ...{ kind: 'read', version: 1, revision: 1, effect: 'source', role: 'work' },
      summary: 'Read a file.',
      with: z.strictObject({ source: z.string() }),
      outputs: text,
      async resolve(context: StepContext, { source }) {
        const found = await fileOf(context, source);
        return createHash('sha256').update(found).digest('hex');
      },
      async run(context: StepContext, { source }) {
        return { dataset: await textArtifact(context, await fileOf(context, source)) };
      },
    }),
    rewriting('rewrite', 1),
    rewriting('refine', refineRevision),
    defineStep({
      ...{ kind: 'join', version: 1, revision: 1, effect: 'pure', role: 'work' },
      summary: 'Join texts.',
      with: z.strictObject({ datasets: z.array(artifact('dataset')) }),
      outputs: text,
      async run(context: StepContext, { datasets }) {
        const texts = await Promise.all(datasets.map((dataset) => textOf(context, dataset)));
        return { dataset: await textArtifact(context, texts.join('\n')) };
      },
    }),
    defineStep({
      ...{ kind: 'count', version: 1, revision: 1, effect: 'pure', role: 'work' },
      summary: 'Count lines.',
      with: z.strictObject({ dataset: artifact('dataset') }),
      outputs: { lines: z.int() },
      async run(context: StepContext, { dataset }) {
        return { lines: (await textOf(context, dataset)).split('\n').length };
      },
    }),
    defineStep({
      ...{ kind: 'list', version: 1, revision: 1, effect: 'pure', role: 'work' },
      summary: 'List the different lines.',
      with: z.strictObject({ dataset: artifact('dataset') }),
      outputs: { lines: z.array(z.string()) },
      async run(context: StepContext, { dataset }) {
        return { lines: [...new Set((await textOf(context, dataset)).split('\n'))] };
      },
    }),
    defineStep({
      ...{ kind: 'compute', version: 1, revision: 1, effect: 'pure', role: 'train' },
      summary: 'Say what it was computed on.',
      with: z.strictObject({
        dataset: artifact('dataset'),
        device: z.enum(['auto', 'cpu', 'cuda']).default('cpu'),
      }),
      outputs: text,
      async run(context: StepContext, { dataset, device }) {
        const found = await textOf(context, dataset);
        return { dataset: await textArtifact(context, `${found}\non ${device}`) };
      },
    }),
    defineStep({
      ...{ kind: 'announce', version: 1, revision: 1, effect: 'external', role: 'work' },
      summary: 'Tell the world.',
      with: z.strictObject({ dataset: artifact('dataset').optional(), text: z.string() }),
      outputs: { told: z.string() },
      run: (_: StepContext, { text: told }) => Promise.resolve({ told }),
    }),
  ];
  return kinds as readonly AnyStep[];
}
