/** Names that go over the wire: workflow types, queues, messages, activities. Nowhere else. */

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
