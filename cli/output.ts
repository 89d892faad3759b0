import { colors } from './colors.ts';
import type { JsonObject, JsonValue } from '../plan/json.ts';
import type { ArtifactDigest, RunState, StepState, StepStatus } from '../plan/plan.ts';
import { orderedSteps, statusText } from '../plan/run-state.ts';

/** Characters of a step's remark. */
const MAX_REMARK = 120;
/** Hexadecimal digits of an artifact's digest that a person is shown; `artifact get` takes them. */
const SHOWN_DIGITS = 16;
const PREFIX = 'sha256:';

/** One line of JSON on stdout, for programs. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

export function printLines(lines: readonly string[]): void {
  process.stdout.write(`${lines.join('\n')}\n`);
}

/** Cells padded to columns, two spaces apart. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    });
  }
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

const PAINT: Readonly<Record<StepStatus, (text: string) => string>> = {
  pending: colors.dim,
  running: colors.cyan,
  cached: colors.green,
  completed: colors.green,
  failed: colors.red,
  skipped: colors.dim,
  paused: colors.yellow,
  cancelled: colors.yellow,
};

/**
 * The run as a table of steps, for a person.
 *
 * @param columns of the terminal: longer lines are cut
 */
export function renderRun(
  id: string,
  state: RunState,
  live: Readonly<Record<string, JsonObject>> = {},
  columns = Infinity,
): string[] {
  const now = Date.now();
  const entries = orderedSteps(state);
  const rows = table([
    ['step', 'status', 'time', ''],
    ...entries.map(([step, { status, ...rest }]) => [
      step,
      status,
      duration({ status, ...rest }, now),
      stepRemark({ status, ...rest }, live[step]),
    ]),
  ]);
  const painted = rows.map((whole, index) => {
    const row = cut(whole, columns);
    const status = entries[index - 1]?.[1].status;
    return status === undefined
      ? colors.dim(row)
      : row.replace(` ${status}`, ` ${PAINT[status](status)}`);
  });
  const title = runTitle(colors.bold(id), state);
  return entries.length === 0 ? [title] : [title, ...painted];
}

/** `run ID (PIPELINE): STATUS`; the pipeline's name is unknown until it compiles. */
export function runTitle(id: string, state: RunState): string {
  const name = state.name === '' ? '' : ` (${state.name})`;
  return `run ${id}${name}: ${statusText(state)}`;
}

function duration(step: StepState, now: number): string {
  if (step.startedAt === undefined) return '';
  if (step.endedAt === undefined && step.status !== 'running') return '';
  return `${(((step.endedAt ?? now) - step.startedAt) / 1000).toFixed(1)}s`;
}

/** What is worth saying of a step in one line: why it failed, its progress, or what came of it. */
export function stepRemark(step: StepState, live?: JsonObject): string {
  if (step.question !== undefined) return `asks: ${firstLine(step.question)}`;
  if (step.error) return firstLine(step.error.message);
  if (step.note) return step.note;
  const progress = step.status === 'running' && live ? renderProgress(live) : '';
  const parts = [
    step.attempt > 1 ? `attempt ${step.attempt}` : '',
    progress || renderOutputs(step.outputs ?? {}),
  ];
  return parts.filter((part) => part !== '').join(', ');
}

/** Scalars of a step's outputs and metrics, but digests. */
function renderOutputs(outputs: JsonObject): string {
  return cut(scalarsOf(outputs).join(', '), MAX_REMARK);
}

/** The artifacts of a run, for a person: `tune.model  sha256:8da30cfea0ae16be`. */
export function renderArtifacts({ steps }: RunState): string[] {
  const rows = Object.entries(steps).flatMap(([step, { outputs = {} }]) =>
    Object.entries(outputs).flatMap(([name, value]) =>
      // A source's revision may be a digest, too: that of the files it was read from.
      isDigest(value) && name !== 'revision'
        ? [[`${step}.${name}`, value.slice(0, PREFIX.length + SHOWN_DIGITS)]]
        : [],
    ),
  );
  return table(rows);
}

function isDigest(value: JsonValue): value is ArtifactDigest {
  return typeof value === 'string' && value.startsWith(PREFIX);
}

function scalarsOf(values: JsonObject): string[] {
  return Object.entries(values).flatMap(([name, value]) => {
    if (isDigest(value)) return [];
    if (name === 'metrics' && typeof value === 'object' && value !== null) {
      return scalarsOf(value as JsonObject);
    }
    const text = renderValue(value);
    return text === undefined ? [] : [`${name} ${text}`];
  });
}

function renderValue(value: JsonValue): string | undefined {
  if (typeof value === 'number') return formatNumber(value);
  if (typeof value === 'string') return cut(value, 24);
  if (typeof value === 'boolean') return String(value);
  return undefined;
}

/** Live details of a running step: `step 12/225, loss 0.98, 8,300 tokens/s, 12 s left`. */
export function renderProgress(live: JsonObject): string {
  const parts: string[] = [];
  const { phase, step, max_steps: total, loss, learning_rate: rate } = live;
  if (typeof phase === 'string') parts.push(phase);
  if (typeof step === 'number') {
    parts.push(`step ${step}${typeof total === 'number' ? `/${total}` : ''}`);
  }
  if (typeof loss === 'number') parts.push(`loss ${loss.toFixed(4)}`);
  if (typeof rate === 'number') parts.push(`lr ${rate.toExponential(2)}`);
  const { tokens_per_second: speed, eta_seconds: eta } = live;
  if (typeof speed === 'number') parts.push(`${Math.round(speed).toLocaleString('en')} tokens/s`);
  if (typeof eta === 'number') parts.push(`${formatSeconds(eta)} left`);
  return parts.join(', ');
}

export function formatSeconds(seconds: number): string {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${(minutes / 60).toFixed(1)} h`;
}

export function formatNumber(value: number): string {
  if (Number.isInteger(value)) return value.toLocaleString('en');
  return Math.abs(value) < 1e-3 ? value.toExponential(2) : value.toFixed(4);
}

function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}

function firstLine(text: string): string {
  return text.split('\n')[0] ?? '';
}
