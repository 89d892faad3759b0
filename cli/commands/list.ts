import { PIPELINE_WORKFLOW } from '../../plan/names.ts';
import { listRuns } from '../../store/runs.ts';
import { printJson, printLines, table } from '../output.ts';
import { statusOf } from '../run-view.ts';
import { withServer } from './session.ts';

interface ListedRun {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly submittedAt: string;
  readonly endedAt: string | null;
}

/** `retune list`: runs that the store knows, with the server's word on those that it knows. */
export async function list({ json }: { json?: boolean }): Promise<number> {
  return withServer(async ({ client }, store) => {
    const runs = new Map<string, ListedRun>();
    for (const { id, name, status, submittedAt, endedAt } of await listRuns(store)) {
      runs.set(id, {
        id,
        name,
        status,
        submittedAt: new Date(submittedAt).toISOString(),
        endedAt: endedAt === undefined ? null : new Date(endedAt).toISOString(),
      });
    }
    const query = `WorkflowType = '${PIPELINE_WORKFLOW}'`;
    const seen = new Set<string>();
    // The server lists the newest execution of an id first.
    for await (const execution of client.workflow.list({ query })) {
      const { workflowId: id, startTime, closeTime, status } = execution;
      if (seen.has(id)) continue;
      seen.add(id);
      const record = runs.get(id);
      runs.set(id, {
        id,
        name: record?.name ?? '',
        status: statusOf(status),
        submittedAt: startTime.toISOString(),
        endedAt: closeTime?.toISOString() ?? null,
      });
    }
    const sorted = [...runs.values()].sort((a, b) => b.submittedAt.localeCompare(a.submittedAt));
    if (json) printJson(sorted);
    else if (sorted.length === 0) printLines(["no runs yet: 'retune run FILE' submits one"]);
    else {
      const rows = sorted.map((run) => [run.id, run.name, run.status, run.submittedAt]);
      printLines(table([['id', 'pipeline', 'status', 'submitted'], ...rows]));
    }
    return 0;
  });
}
