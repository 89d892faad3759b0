import type { RunState, StepId } from '../plan/plan.ts';
import type { RunEvent } from '../plan/run-state.ts';

/** A step whose input was found corrupt is tried again this often after its producer. */
const MAX_RECOVERIES = 3;

/** What was found damaged in a run, and is made again. */
export class Recoveries {
  readonly #counts = new Map<StepId, number>();
  readonly #damages = new Map<StepId, string>();

  /** A result of the step was damaged, so that it runs. */
  damaged(step: StepId, damage: string): void {
    this.#damages.set(step, damage);
  }

  /** What a step says of its result, and that it ran because an earlier one was damaged. */
  note(step: StepId, said: string | undefined): string | undefined {
    const damage = this.#damages.get(step);
    if (damage === undefined) return said;
    const again = `made again: ${damage}`;
    return said === undefined ? again : `${said}; ${again}`;
  }

  /**
   * An artifact that is gone or corrupt: its producer runs again, then the step that reads it.
   *
   * @param matrixOf the step whose entry another one is
   * @returns undefined when no step of the run made it, or it was tried too often
   */
  recover(
    reader: StepId,
    artifact: string,
    { steps }: RunState,
    matrixOf: (entry: StepId) => StepId | undefined,
  ): readonly RunEvent[] | undefined {
    const count = (this.#counts.get(reader) ?? 0) + 1;
    const producer = Object.entries(steps).find(([, { outputs = {} }]) =>
      Object.values(outputs).includes(artifact),
    )?.[0];
    if (producer === undefined || count > MAX_RECOVERIES) return undefined;
    this.#counts.set(reader, count);
    const damage = `${artifact} could not be read`;
    this.damaged(producer, damage);
    const matrix = matrixOf(producer);
    return [
      { kind: 'step-invalidated', step: producer, note: `made again: ${damage}` },
      ...(matrix === undefined ? [] : [{ kind: 'step-reopened', step: matrix } as const]),
      { kind: 'step-invalidated', step: reader, note: `waits for '${producer}'` },
    ];
  }
}
