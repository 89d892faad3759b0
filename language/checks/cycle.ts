import type { StepId } from '../../plan/plan.ts';
import type { Reporter } from '../reporter.ts';
import type { Range } from '../source-text.ts';

/** For each step the steps it waits for, and where it says so, which takes a look at the text. */
export type NeedGraph = ReadonlyMap<StepId, ReadonlyMap<StepId, () => Range>>;

/** Steps looked at for the shortest cycle of a knot; after them the shortest so far is taken. */
const MAX_LOOKED_AT = 1_000_000;

/**
 * Rule `cycle`: steps that wait for one another. Each knot is reported once, by its shortest cycle,
 * from the step of it that stands first in the file; of several such by the first.
 */
export function checkCycles(graph: NeedGraph, reporter: Reporter): void {
  const position = new Map([...graph.keys()].map((id, index) => [id, index]));
  for (const knot of knots(graph)) {
    const inOrder = [...knot].sort((a, b) => (position.get(a) ?? 0) - (position.get(b) ?? 0));
    const cycle = shortestOf(inOrder, knot, graph);
    const [first = ''] = cycle;
    const rangeOf = graph.get(first)?.get(cycle[1] ?? first);
    if (rangeOf === undefined) continue;
    const message =
      cycle.length === 2
        ? `step '${first}' waits for itself; remove the reference`
        : `steps wait for one another: ${shorten(cycle).join(' → ')}; remove one of these edges`;
    reporter.error('cycle', rangeOf(), message);
  }
}

function shorten(cycle: readonly StepId[]): readonly string[] {
  return cycle.length <= 12 ? cycle : [...cycle.slice(0, 10), '...', ...cycle.slice(-1)];
}

function shortestOf(
  inOrder: readonly StepId[],
  knot: ReadonlySet<StepId>,
  graph: NeedGraph,
): readonly StepId[] {
  let shortest: readonly StepId[] = [];
  let lookedAt = 0;
  for (const start of inOrder) {
    if (shortest.length > 0 && (shortest.length <= 3 || lookedAt > MAX_LOOKED_AT)) break;
    const { cycle, size } = cycleThrough(start, knot, graph);
    lookedAt += size;
    if (shortest.length === 0 || cycle.length < shortest.length) shortest = cycle;
  }
  return shortest;
}

/** Breadth first, so the first way back is a shortest one; and how many steps were looked at. */
function cycleThrough(
  start: StepId,
  knot: ReadonlySet<StepId>,
  graph: NeedGraph,
): { readonly cycle: readonly StepId[]; readonly size: number } {
  const from = new Map<StepId, StepId>();
  const open = [start];
  for (let next = 0; next < open.length; next += 1) {
    const id = open[next] ?? start;
    for (const need of graph.get(id)?.keys() ?? []) {
      if (need === start) return { cycle: wayTo(id, start, from), size: open.length };
      if (!knot.has(need) || from.has(need)) continue;
      from.set(need, id);
      open.push(need);
    }
  }
  return { cycle: [start], size: open.length };
}

function wayTo(end: StepId, start: StepId, from: ReadonlyMap<StepId, StepId>): readonly StepId[] {
  const way = [start, end];
  for (let id = end; id !== start;) {
    id = from.get(id) ?? start;
    way.push(id);
  }
  // From start back to itself when the end is the start: a step that needs itself.
  return end === start ? [start, start] : way.toReversed();
}

/** Strongly connected components with a cycle in them: Tarjan's algorithm, without recursion. */
function knots(graph: NeedGraph): readonly ReadonlySet<StepId>[] {
  const found: Set<StepId>[] = [];
  const index = new Map<StepId, number>();
  const low = new Map<StepId, number>();
  const stack: StepId[] = [];
  const onStack = new Set<StepId>();
  for (const root of graph.keys()) {
    if (index.has(root)) continue;
    const calls = [enter(root)];
    for (let call = calls.at(-1); call !== undefined; call = calls.at(-1)) {
      const { id, needs } = call;
      const { value: need, done } = needs.next();
      if (done === true) {
        calls.pop();
        leave(id, calls.at(-1)?.id);
      } else if (!index.has(need)) {
        calls.push(enter(need));
      } else if (onStack.has(need)) {
        low.set(id, Math.min(low.get(id) ?? 0, index.get(need) ?? 0));
      }
    }
  }
  return found;

  function enter(id: StepId): { id: StepId; needs: Iterator<StepId, undefined> } {
    index.set(id, index.size);
    low.set(id, index.size - 1);
    stack.push(id);
    onStack.add(id);
    const needs = [...(graph.get(id)?.keys() ?? [])].filter((need) => graph.has(need));
    return { id, needs: needs[Symbol.iterator]() };
  }

  function leave(id: StepId, parent: StepId | undefined): void {
    const reached = low.get(id) ?? 0;
    if (parent !== undefined) low.set(parent, Math.min(low.get(parent) ?? 0, reached));
    if (reached !== index.get(id)) return;
    const members = stack.splice(stack.lastIndexOf(id));
    for (const member of members) onStack.delete(member);
    if (members.length > 1 || graph.get(id)?.has(id) === true) found.push(new Set(members));
  }
}
