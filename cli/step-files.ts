import type { StepFile } from '../activities/custom/step-source.ts';
import { userPath } from './user-path.ts';

export const STEPS_DESCRIPTION = "a TypeScript file with step kinds of one's own; again for more";

/** Reads `--steps FILE`, however often it is given. */
export function collectStepFiles(
  name: string,
  earlier: readonly StepFile[] = [],
): readonly StepFile[] {
  return [...earlier, { name, path: userPath(name) }];
}
