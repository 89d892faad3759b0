import type { StepFile } from '../../activities/custom/step-source.ts';
import { pipelineSchema } from '../../language/editor-schema.ts';
import { printJson } from '../output.ts';
import { catalogOf } from './step-catalog.ts';

/**
 * `retune schema`: the JSON Schema of pipeline files, with the kinds of `--steps` files; exit code 0.
 * @throws UnreadableFile for a file that --steps names
 */
export async function schema({ steps }: { readonly steps?: readonly StepFile[] }): Promise<number> {
  printJson(pipelineSchema(await catalogOf(steps)));
  return 0;
}
