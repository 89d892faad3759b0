import type { StepId } from '../plan/plan.ts';
import type { NeedGraph } from './checks/cycle.ts';

/** Edges followed for one file; after them what depends on a step may be more than is found. */
const MAX_FOLLOWED = 5_000_000;

/** What waits for each step of a file, whether directly or through others. */
export class Dependents {
  readonly #graph: NeedGraph;
  #direct: ReadonlyMap<StepId, readonly StepId[]> | undefined;
  #last: { readonly id: StepId; readonly found: ReadonlySet<StepId> } | undefined;
  #followed = 0;

  /** @param graph whole before the first question */
  constructor(graph: NeedGraph) {
    this.#graph = graph;
  }

  /** The step itself is among them. */
  of(id: StepId): ReadonlySet<StepId> {
    if (this.#last?.id === id) return this.#last.found;
    this.#direct ??= directDependents(this.#graph);
    const found = new Set([id]);
    for (const each of found) {
      if (this.#followed > MAX_FOLLOWED) break;
      const direct = this.#direct.get(each) ?? [];
      this.#followed += direct.length;
      for (const dependent of direct) found.add(dependent);
    }
    this.#last = { id, found };
    return found;
  }
}

/** For each step those that name it. */
export function directDependents(graph: NeedGraph): ReadonlyMap<StepId, readonly StepId[]> {
  const dependents = new Map([...graph.keys()].map((id) => [id, [] as StepId[]]));
  for (const [id, needs] of graph) for (const need of needs.keys()) dependents.get(need)?.push(id);
  return dependents;
}
