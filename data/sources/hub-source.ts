import { Failure } from '../../plan/failures.ts';
import type { SourceUse } from './source.ts';

/** What an `hf://` source names. */
export interface HubLocation {
  readonly use: SourceUse;
  /** `OWNER/NAME` */
  readonly repository: string;
  /** Branch, tag or commit. */
  readonly revision: string;
  /** File or folder in the repository; empty: all of it. */
  readonly path: string;
  /** As a person would write it. */
  readonly display: string;
  displayOf(path: string): string;
}

const FORMS = {
  dataset: 'hf://datasets/OWNER/NAME[@REVISION][/PATH]',
  model: 'hf://OWNER/NAME[@REVISION][/PATH]',
} as const satisfies Record<SourceUse, string>;

const NAME = '[A-Za-z0-9][A-Za-z0-9._-]*';
/** Hugging Face's own names with slashes, then any other up to a slash. */
const REVISION = 'refs/(?:pr|convert)/[^/]+|[^/]+';
const KIND = '(?:datasets|models|spaces|buckets)/';
const SOURCE = new RegExp(
  `^(datasets/)?(?!${KIND})(${NAME}/${NAME})(?:@(${REVISION}))?(?:/(.*))?$`,
);

/**
 * Takes an `hf://` source apart.
 * @throws InvalidInput when it has another form, or names a model where data is wanted
 */
export function parseHubSource(source: string, use: SourceUse): HubLocation {
  const written = source.slice('hf://'.length);
  const match = SOURCE.exec(written);
  const [, datasets, repository, revision, path] = match ?? [];
  if (repository === undefined) {
    throw new Failure('InvalidInput', `"${source}" is not understood: expected ${FORMS[use]}`);
  }
  const found: SourceUse = datasets === undefined ? 'model' : 'dataset';
  const trimmed = (path ?? '').replace(/\/+$/, '');
  if (found !== use) {
    throw new Failure(
      'InvalidInput',
      use === 'dataset'
        ? `"${source}" names a model: a dataset is hf://datasets/${written}`
        : `"${source}" names a dataset: a model is ${FORMS.model}`,
    );
  }
  const at = revision === undefined ? '' : `@${revision}`;
  const base = `hf://${datasets ?? ''}${repository}${at}`;
  const displayOf = (inside: string): string => (inside === '' ? base : `${base}/${inside}`);
  return {
    use,
    repository,
    revision: (revision ?? 'main').replace(/%2f/gi, '/'),
    path: trimmed,
    display: displayOf(trimmed),
    displayOf,
  };
}
