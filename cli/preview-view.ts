import type { Estimate, Outcome, RunPreview, StepPreview } from '../activities/preview/outcome.ts';
import { colors } from './colors.ts';
import { formatSeconds, table } from './output.ts';

const PAINT: Readonly<Record<Outcome['kind'], (text: string) => string>> = {
  hit: colors.green,
  run: colors.yellow,
  unknown: colors.cyan,
  skip: colors.dim,
  fail: colors.red,
};

/** What a run would do, a row a step and more where there is more to say; the last line sums up. */
export function renderPreview(preview: RunPreview): readonly string[] {
  const { name, since, steps } = preview;
  const cells = steps.flatMap((step) => {
    const [first = '', ...others] = remarksOf(step);
    const row = { step, cells: [step.id, outcomeText(step.outcome), timeText(step), first] };
    return [row, ...others.map((remark) => ({ step, cells: ['', '', '', remark] }))];
  });
  const rows = table([['step', '', 'time', 'why'], ...cells.map((row) => row.cells)]);
  const painted = rows.map((row, i) => {
    const { step, cells: [id] = [] } = cells[i - 1] ?? {};
    if (step === undefined) return colors.dim(row);
    const text = outcomeText(step.outcome);
    return id === '' ? row : row.replace(`  ${text}`, `  ${PAINT[step.outcome.kind](text)}`);
  });
  const against = since === undefined ? 'no earlier run' : `compared with run ${since}`;
  return [`plan of ${colors.bold(name)}, ${against}`, ...painted, summaryOf(steps)];
}

function outcomeText(outcome: Outcome): string {
  switch (outcome.kind) {
    case 'hit':
      return 'hit';
    case 'run':
      return 'would run';
    case 'unknown':
      return outcome.until.length === 0
        ? 'unknown'
        : `unknown until ${outcome.until.join(' and ')}`;
    case 'skip':
      return 'would be skipped';
    case 'fail':
      return 'would fail';
  }
}

function remarksOf({ outcome, supposed = [] }: StepPreview): readonly string[] {
  const reasons = outcome.kind === 'hit' ? [] : outcome.reasons;
  if (supposed.length === 0) return reasons;
  const verb = supposed.length === 1 ? 'succeeds' : 'succeed';
  return [...reasons, `if ${supposed.join(' and ')} ${verb}`];
}

function timeText({ estimate }: StepPreview): string {
  if (estimate === undefined) return '';
  const { seconds, tokens } = estimate;
  const parts = [
    seconds === undefined ? 'unknown' : `about ${formatSeconds(Math.max(1, seconds))}`,
    ...(tokens === undefined ? [] : [tokensText(tokens)]),
  ];
  return parts.join(', ');
}

function tokensText(tokens: number): string {
  return `${tokens.toLocaleString('en')} tokens`;
}

/** What steps of one outcome take together, one after the other. */
interface Total {
  readonly steps: number;
  /** Of those whose time is known; undefined when none is. */
  readonly seconds?: number;
  readonly isComplete: boolean;
  readonly tokens: number;
}

function totalOf(steps: readonly StepPreview[], kind: Outcome['kind']): Total {
  const estimates: readonly Estimate[] = steps
    .filter(({ outcome, entries }) => outcome.kind === kind && entries === undefined)
    .map(({ estimate = {} }) => estimate);
  const known = estimates.flatMap(({ seconds }) => (seconds === undefined ? [] : [seconds]));
  return {
    steps: estimates.length,
    ...(known.length > 0 && { seconds: known.reduce((sum, seconds) => sum + seconds, 0) }),
    isComplete: known.length === estimates.length,
    tokens: estimates.reduce((sum, { tokens = 0 }) => sum + tokens, 0),
  };
}

/** `3 hits, 2 would run (about 4 min), 1 unknown (up to 20 s more)`. */
function summaryOf(steps: readonly StepPreview[]): string {
  const [hits, run, unknown] = [
    totalOf(steps, 'hit'),
    totalOf(steps, 'run'),
    totalOf(steps, 'unknown'),
  ];
  const [skip, fail] = [totalOf(steps, 'skip'), totalOf(steps, 'fail')];
  return [
    `${hits.steps} ${hits.steps === 1 ? 'hit' : 'hits'}`,
    `${run.steps} would run${costText(run, run.isComplete ? 'about' : 'at least')}`,
    `${unknown.steps} unknown${costText(unknown, unknown.isComplete ? 'up to' : 'at least', ' more')}`,
    ...(skip.steps === 0 ? [] : [`${skip.steps} would be skipped`]),
    ...(fail.steps === 0 ? [] : [`${fail.steps} would fail`]),
  ].join(', ');
}

function costText({ steps, seconds, tokens }: Total, limit: string, end = ''): string {
  if (steps === 0) return '';
  const time =
    seconds === undefined
      ? 'time unknown'
      : `${limit} ${formatSeconds(Math.max(1, seconds))}${end}`;
  return ` (${time}${tokens === 0 ? '' : `, ${tokensText(tokens)}`})`;
}

/** What `--json` prints: `{ ok, name, since, steps, totals }`; times in seconds. */
export function previewDocument({ name, since, steps }: RunPreview): object {
  const kinds = ['hit', 'run', 'unknown', 'skip', 'fail'] as const;
  return {
    ok: steps.every(({ outcome }) => outcome.kind !== 'fail'),
    name,
    since: since ?? null,
    steps: steps.map(({ outcome, ...step }) => {
      const { kind, ...told } = outcome;
      return { ...step, outcome: kind, ...told };
    }),
    totals: Object.fromEntries(kinds.map((kind) => [kind, totalOf(steps, kind)])),
  };
}
