import type { StepDeclaration } from '../language/step-declaration.ts';
import type { Question } from '../plan/interventions.ts';
import { approve } from './approve.ts';
import { downloadDataset } from './download-dataset.ts';
import { downloadModel } from './download-model.ts';
import { evaluate } from './evaluate.ts';
import { notify } from './notify.ts';
import { register } from './register.ts';
import { select } from './select.ts';
import type { AskContext, StepContext } from './step-context.ts';
import { subset } from './subset.ts';
import { tokenize } from './tokenize.ts';
import { train } from './train.ts';

/** A declaration whose inputs and outputs are known at run time only. */
export type AnyStep = StepDeclaration & {
  resolve?(context: StepContext, inputs: unknown): Promise<unknown>;
  asks?(context: AskContext, inputs: unknown): Promise<Question | undefined>;
  run(context: StepContext, inputs: unknown): Promise<Record<string, unknown>>;
};

/** Every step kind of this build. */
export const catalog: readonly AnyStep[] = [
  downloadDataset,
  downloadModel,
  subset,
  tokenize,
  train,
  evaluate,
  select,
  register,
  approve,
  notify,
] as readonly unknown[] as readonly AnyStep[];
