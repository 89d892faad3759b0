import type { JsonObject, JsonValue } from '../../plan/json.ts';
import type { StepId } from '../../plan/plan.ts';
import type { RunFacts } from '../../plan/scheduling.ts';

/** What an evaluation read that only a run can know. */
export interface Reads {
  readonly steps: ReadonlySet<StepId>;
  /** `run.id`, `run.scheduled_time`. */
  readonly facts: ReadonlySet<string>;
}

/**
 * Stands in expressions for what is not known before a run. It has no value, but tells that it was
 * read: an evaluation that read nothing of it is right whatever it will be.
 */
export class UnknownValues {
  #steps = new Set<StepId>();
  #facts = new Set<string>();

  /** What `work` gives, and what it read of the unknown. */
  during<T>(work: () => T): { readonly result: T; readonly reads: Reads } {
    this.#steps = new Set();
    this.#facts = new Set();
    const result = work();
    return { result, reads: { steps: this.#steps, facts: this.#facts } };
  }

  /** An object of which nothing is known but that `step` will give it. */
  ofStep(step: StepId): JsonObject {
    const read = (): undefined => void this.#steps.add(step);
    return new Proxy<JsonObject>(
      {},
      {
        get: read,
        getOwnPropertyDescriptor: read,
        has: () => (this.#steps.add(step), false),
        ownKeys: () => (this.#steps.add(step), []),
      },
    );
  }

  /** The context `run`; without an id it is not known, and when the run starts never is. */
  facts(name: string, id: string | undefined): RunFacts {
    const read = (fact: string): string => {
      this.#facts.add(`run.${fact}`);
      return '';
    };
    return {
      get id() {
        return id ?? read('id');
      },
      name,
      attempt: 1,
      get scheduled_time() {
        return read('scheduled_time');
      },
    };
  }
}

/** Reads all of a value: one of its parts may be unknown. */
export function readWhole(value: JsonValue): void {
  JSON.stringify(value);
}
