import { setCurrentDetails, upsertMemo, upsertSearchAttributes } from '@temporalio/workflow';
import type { VisibleFacts } from '../activities/contract.ts';
import type { Plan, RunState } from '../plan/plan.ts';
import {
  SEARCH_ATTRIBUTES,
  searchAttributesOf,
  type SearchAttribute,
} from '../plan/search-attributes.ts';
import { renderDetails } from './details.ts';

type SearchAttributePair = Exclude<
  Parameters<typeof upsertSearchAttributes>[0],
  Record<string, unknown>
>[number];

/** What Temporal's own tools show of the run: its details, memo and search attributes. */
export class Visibility {
  #plan: Plan | undefined;
  #attributes: readonly SearchAttribute[] = [];
  /** The value last told of each, as JSON. */
  readonly #told = new Map<SearchAttribute, string>();

  /**
   * The run has a plan.
   * @param facts what the run may tell beside its details; undefined in runs of an earlier version
   */
  planned(plan: Plan, facts: VisibleFacts | undefined): void {
    if (facts === undefined) return;
    this.#plan = plan;
    this.#attributes = facts.searchAttributes;
    const { name, description } = plan;
    if (facts.memo) upsertMemo({ pipeline: name, ...(description && { description }) });
  }

  /** Its params have changed. */
  replanned(plan: Plan): void {
    if (this.#plan !== undefined) this.#plan = plan;
  }

  show(state: RunState): void {
    setCurrentDetails(renderDetails(state));
    if (this.#plan === undefined) return;
    const values = searchAttributesOf(this.#plan, state);
    const changed = this.#attributes.filter((name) => {
      const value = JSON.stringify(values[name]);
      if (this.#told.get(name) === value) return false;
      this.#told.set(name, value);
      return true;
    });
    if (changed.length === 0) return;
    upsertSearchAttributes(
      changed.map((name) => {
        const key = { name, type: SEARCH_ATTRIBUTES[name] };
        return { key, value: values[name] } as SearchAttributePair;
      }),
    );
  }
}
