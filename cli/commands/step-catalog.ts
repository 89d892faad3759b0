import { catalog, type AnyStep } from '../../activities/catalog.ts';
import { StepFileError } from '../../activities/custom/step-file-error.ts';
import type { StepFile } from '../../activities/custom/step-source.ts';
import { UnreadableFile } from '../command-error.ts';

/**
 * Every step kind that a pipeline may use: Retune's, and those of the files that `--steps` names.
 * @throws UnreadableFile with what is wrong with those files
 */
export async function catalogOf(files: readonly StepFile[] = []): Promise<readonly AnyStep[]> {
  if (files.length === 0) return catalog;
  const { catalogWith } = await import('../../activities/custom/step-files.ts');
  try {
    return await catalogWith(files);
  } catch (error) {
    if (!(error instanceof StepFileError)) throw error;
    throw new UnreadableFile(error.message, { cause: error });
  }
}
