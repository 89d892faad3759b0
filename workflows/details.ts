import type { RunState, StepState } from '../plan/plan.ts';
import { orderedSteps, statusText } from '../plan/run-state.ts';

const MAX_ROWS = 50;

/** The run as a Markdown table for Temporal's own web UI: at most 50 rows, then counts. */
export function renderDetails(state: RunState): string {
  const steps = orderedSteps(state);
  const rows = steps
    .slice(0, MAX_ROWS)
    .map(([id, step]) => `| ${id} | ${step.status} | ${duration(step)} | ${remark(step)} |`);
  const lines = [
    `**${state.name}**: ${statusText(state)}`,
    '',
    '| step | status | time | |',
    '| --- | --- | --- | --- |',
    ...rows,
  ];
  if (steps.length > MAX_ROWS) lines.push('', counts(steps.map(([, step]) => step)));
  return lines.join('\n');
}

function duration(step: StepState): string {
  if (step.startedAt === undefined || step.endedAt === undefined) return '';
  return `${((step.endedAt - step.startedAt) / 1000).toFixed(1)} s`;
}

function remark(step: StepState): string {
  const asked = step.question === undefined ? undefined : `asks: ${step.question}`;
  const text = step.error
    ? `${step.error.type}: ${step.error.message}`
    : (asked ?? step.note ?? '');
  const line = text.replaceAll('\n', ' ').replaceAll('|', '\\|');
  return line.length > 160 ? `${line.slice(0, 159)}…` : line;
}

function counts(steps: readonly StepState[]): string {
  const byStatus = new Map<string, number>();
  for (const { status } of steps) byStatus.set(status, (byStatus.get(status) ?? 0) + 1);
  return `… ${[...byStatus].map(([status, count]) => `${count} ${status}`).join(', ')}`;
}
