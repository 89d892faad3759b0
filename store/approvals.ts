import { getRecord, refSegment, updateRecord } from './records.ts';
import type { Store } from './store.ts';

/** A decision of a person that stands for later executions of the run. */
export interface ApprovalRecord {
  readonly by: string;
  readonly comment: string;
  /** Of the step as it was asked about: a changed message, say, asks again. */
  readonly fingerprint: string;
}

export interface ApprovalKey {
  readonly workflowId: string;
  readonly stepId: string;
  readonly fingerprint: string;
}

/** What was approved in an earlier execution of the run, of the very same step. */
export async function getApproval(
  store: Store,
  key: ApprovalKey,
): Promise<ApprovalRecord | undefined> {
  const found = await getRecord<ApprovalRecord>(store, approvalRef(key));
  return found?.record.fingerprint === key.fingerprint ? found.record : undefined;
}

export async function putApproval(
  store: Store,
  key: ApprovalKey,
  { by, comment }: { readonly by: string; readonly comment: string },
): Promise<void> {
  const record = { by, comment, fingerprint: key.fingerprint };
  await updateRecord<ApprovalRecord>(store, approvalRef(key), () => record);
}

function approvalRef({ workflowId, stepId }: ApprovalKey): string {
  return `approvals/${refSegment(workflowId)}/${refSegment(stepId)}`;
}
