import { printable } from '../language/excerpt.ts';
import { parseExpression, references } from '../plan/expressions.ts';
import type { MatrixStrategy, Plan, PlanStep, StepId } from '../plan/plan.ts';
import { trialCount } from '../plan/search/sampling.ts';
import { placeName, type SearchStrategy } from '../plan/search/strategy.ts';

/** Steps in an order in which each follows what it needs, otherwise that of the file. */
function inOrder({ steps }: Plan): readonly PlanStep[] {
  const readers = new Map<StepId, number[]>();
  for (const [i, { needs }] of steps.entries()) {
    for (const need of needs) {
      const known = readers.get(need);
      if (known === undefined) readers.set(need, [i]);
      else known.push(i);
    }
  }
  const missing = steps.map(({ needs }) => needs.length);
  /** Places in the file of the steps that could come next, ascending. */
  const ready = [...missing.keys()].filter((i) => missing[i] === 0);
  const ordered: PlanStep[] = [];
  for (let next = ready.shift(); next !== undefined; next = ready.shift()) {
    const step = steps[next];
    if (step === undefined) break;
    ordered.push(step);
    for (const reader of readers.get(step.id) ?? []) {
      missing[reader] = (missing[reader] ?? 0) - 1;
      if (missing[reader] !== 0) continue;
      const at = ready.findIndex((other) => other > reader);
      ready.splice(at < 0 ? ready.length : at, 0, reader);
    }
  }
  return ordered;
}

/** What a person reads beside a step's name: `train@1, on gpu, if ...`. */
function factsOf(step: PlanStep): string {
  const { kind, version, runsOn, role, strategy, search, if: condition } = step;
  const facts = [
    `${kind}@${version}`,
    ...(strategy === undefined ? [] : [matrixFact(strategy)]),
    ...(search === undefined ? [] : [searchFact(search)]),
    ...(role === 'train' && typeof runsOn === 'string' && runsOn !== 'cpu' ? [`on ${runsOn}`] : []),
    ...(condition === undefined ? [] : [`if ${condition.replaceAll(/\s+/g, ' ')}`]),
  ];
  return printable(facts.join(', '));
}

/** `search of args.learning_rate, args.seed (20 trials)`. */
function searchFact(search: SearchStrategy): string {
  const names = search.parameters.map(({ path }) => placeName(path)).join(', ');
  return `search of ${names} (${trialCount(search)} trials)`;
}

/** `× learning_rate (3) × seed (2)`; how long a list is that an expression gives is not known. */
function matrixFact({ matrix, include }: MatrixStrategy): string {
  const dimensions = Object.entries(matrix).map(([name, list]) =>
    Array.isArray(list) ? `× ${name} (${list.length})` : `× ${name}`,
  );
  return [...dimensions, ...(include === undefined ? [] : ['× include'])].join(' ');
}

/**
 * The steps below each other, each with a line from what it needs; ○ needs nothing:
 *
 * ```text
 * ○ data        download-dataset@1
 * │ ○ base      download-model@1
 * ● │ rows      subset@1
 * ●─┘ tokens    tokenize@1
 * ```
 */
export function drawPipeline(plan: Plan): readonly string[] {
  const steps = inOrder(plan);
  const lastReader = new Map<StepId, number>();
  for (const [i, { needs }] of steps.entries()) for (const id of needs) lastReader.set(id, i);
  /** Whose results each column leads to later steps. */
  const lanes: (StepId | undefined)[] = [];
  /** The column of a step that nothing reads: what is drawn right below would look like it does. */
  let dead = -1;
  const rows = steps.map((step, i) => {
    const read = new Set(
      lanes.flatMap((id, lane) => (id && step.needs.includes(id) ? [lane] : [])),
    );
    const isEnding = (lane: number): boolean => lastReader.get(lanes[lane] ?? '') === i;
    const ended = [...read].filter(isEnding);
    const isSource = step.needs.length === 0;
    const own = ended[0] ?? freeLane(lanes, isSource ? -1 : dead);
    const picture = drawRow(lanes, own, read, isEnding).replace('●', isSource ? '○' : '●');
    for (const lane of ended) lanes[lane] = undefined;
    const isRead = lastReader.has(step.id);
    lanes[own] = isRead ? step.id : undefined;
    dead = isRead ? -1 : own;
    while (lanes.length > 0 && lanes.at(-1) === undefined) lanes.pop();
    return { name: `${picture} ${step.id}`, facts: factsOf(step) };
  });
  const width = Math.max(0, ...rows.map(({ name }) => name.length));
  return rows.map(({ name, facts }) => `${name.padEnd(width)}  ${facts}`);
}

function freeLane(lanes: readonly (StepId | undefined)[], except: number): number {
  const free = lanes.findIndex((id, lane) => id === undefined && lane !== except);
  if (free >= 0) return free;
  return lanes.length === except ? except + 1 : lanes.length;
}

function drawRow(
  lanes: readonly (StepId | undefined)[],
  own: number,
  read: ReadonlySet<number>,
  isEnding: (lane: number) => boolean,
): string {
  const [from, to] = [Math.min(own, ...read), Math.max(own, ...read)];
  const cells = Array.from({ length: Math.max(lanes.length, own + 1) }, (_, lane) => {
    if (lane === own) return '●';
    if (read.has(lane)) {
      if (!isEnding(lane)) return lane === from ? '├' : lane === to ? '┤' : '┼';
      return lane === from ? '└' : lane === to ? '┘' : '┴';
    }
    const isCrossed = lane > from && lane < to;
    // A line that is only crossed has nothing to do with the step.
    if (lanes[lane] !== undefined) return '│';
    return isCrossed ? '─' : ' ';
  });
  return cells
    .map((cell, lane) => `${cell}${lane >= from && lane < to ? '─' : ' '}`)
    .join('')
    .trimEnd();
}

/** The same as a flowchart. Source: mermaid.js.org/syntax/flowchart. */
export function mermaidFlowchart(plan: Plan): readonly string[] {
  const steps = inOrder(plan);
  const nodes = new Map(steps.map(({ id }, i) => [id, `s${i}`]));
  const wires = new Map(steps.map((step) => [step.id, wiresOf(step)]));
  return [
    'flowchart LR',
    ...steps.map(
      (step) => `  ${nodes.get(step.id)}["${escaped(step.id)}<br/>${escaped(factsOf(step))}"]`,
    ),
    ...steps.flatMap((step) =>
      step.needs.map((need) => {
        // Order alone, without data, is dotted.
        const arrow = wires.get(step.id)?.has(need) ? '-->' : '-.->';
        return `  ${nodes.get(need)} ${arrow} ${nodes.get(step.id)}`;
      }),
    ),
  ];
}

/** Steps whose results it reads. */
function wiresOf({ with: inputs, runsOn, strategy, if: condition }: PlanStep): ReadonlySet<StepId> {
  const read = [
    ...references(inputs),
    ...references(runsOn),
    ...references({ ...strategy?.matrix, include: strategy?.include ?? [] }),
    ...(condition === undefined ? [] : parseExpression(condition).references),
  ];
  const ids = read.flatMap(({ context, path: [first] }) =>
    context === 'steps' && first?.kind === 'name' ? [first.name] : [],
  );
  return new Set(ids);
}

/** Text in a quoted label. */
function escaped(text: string): string {
  return text
    .replaceAll('#', '#35;')
    .replaceAll('&', '#amp;')
    .replaceAll('"', '#quot;')
    .replaceAll('<', '#lt;')
    .replaceAll('>', '#gt;');
}
