import { sleep } from '@temporalio/workflow';

/** Wakes the run up at a time. One timer a time: an open run that does much would fill its history. */
export class Alarm {
  #end: number | undefined;
  #rings = 0;

  /** How often it has rung. */
  get rings(): number {
    return this.#rings;
  }

  /** @param end milliseconds since the epoch, by the workflow's clock; undefined leaves it as it is */
  set(end: number | undefined): void {
    if (end === undefined || end === this.#end) return;
    this.#end = end;
    // One that is not needed any more rings for nothing; a cancelled run needs none.
    sleep(Math.max(1, end - Date.now())).then(
      () => {
        this.#rings += 1;
        if (this.#end === end) this.#end = undefined;
      },
      () => undefined,
    );
  }
}
