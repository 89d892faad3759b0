/** Names that go over the wire: workflow types, queues, messages, activities. Nowhere else. */
import type { StepId } from './plan.ts';

export const PIPELINE_WORKFLOW = 'pipeline';

/** Queue of the workflows and of their local activities. */
export const CONTROL_QUEUE = 'retune';
/** Queue of the light step kinds (role `work`). */
export const WORK_QUEUE = 'retune-work';

/** Queue of the training step kinds (role `train`) for workers that carry `label`. */
export function trainQueue(label: string): string {
  return `retune-train-${label}`;
}

export const STATE_QUERY = 'state';

export const RETRY_UPDATE = 'retry';
export const SKIP_UPDATE = 'skip';
export const APPROVE_UPDATE = 'approve';
export const SET_PARAMS_UPDATE = 'set_params';
export const PAUSE_SIGNAL = 'pause';
export const RESUME_SIGNAL = 'resume';

const REVISION = ':revision';
const VERIFICATION = ':verification';

/** Id of the activity that asks a source step's upstream for its revision. */
export function revisionActivity(step: StepId): string {
  return `${step}${REVISION}`;
}

/** Id of the activity that reads the artifacts of a step's cached result. */
export function verificationActivity(step: StepId): string {
  return `${step}${VERIFICATION}`;
}

/** The step that an activity id belongs to: a step's own activity has the step's id. */
export function stepOfActivity(activityId: string): StepId {
  const suffix = [REVISION, VERIFICATION].find((end) => activityId.endsWith(end)) ?? '';
  return activityId.slice(0, activityId.length - suffix.length);
}
