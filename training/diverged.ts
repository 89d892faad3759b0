import type { TokenizedRows } from '../data/tokenized-dataset.ts';
import { Failure } from '../plan/failures.ts';

/** Where a training went wrong. */
export interface Place {
  /** Number of the optimizer step, from 1. */
  readonly step: number;
  /** Rows of the step's batch. */
  readonly rows: Uint32Array;
  readonly trainRows: TokenizedRows;
  /** The highest of the schedule. */
  readonly learningRate: number;
}

/** Row ids that a message shows. */
const SHOWN_ROWS = 16;
const REMEDY = 'lower learning_rate, add warmup_steps, or look for broken text in those rows';
/** No update has been made: no argument of the training can be the reason. */
const REMEDY_AT_START =
  "look for values that are no numbers in the model's weights, or for broken text in those rows";

/** The failure for a loss or a gradient norm that is no number. */
export function notFinite(place: Place, loss: number, gradNorm: number): Failure {
  const what = Number.isFinite(loss) ? `gradient norm is ${gradNorm}` : `loss is ${loss}`;
  const remedy = place.step === 1 ? REMEDY_AT_START : REMEDY;
  return new Failure(
    'Diverged',
    `the ${what} at ${describe(place)}, with learning_rate ${place.learningRate}; ${remedy}`,
  );
}

/** What the guard against a blow-up saw. */
export interface BlowUp {
  readonly loss: number;
  readonly limit: number;
  readonly steps: number;
}

/** The failure for a loss that has stayed far above its level. */
export function blownUp(place: Place, { loss, limit, steps }: BlowUp): Failure {
  return new Failure(
    'Diverged',
    `the loss is ${short(loss)} at ${describe(place)}, and has been above ${short(limit)} for ` +
      `${steps} optimizer steps, with learning_rate ${place.learningRate}; lower learning_rate or ` +
      'add warmup_steps; if such losses are right for this data, raise divergence.factor or set ' +
      'divergence: off',
  );
}

/** The failure for an evaluation's loss that is no number. */
export function evaluationNotFinite(step: number, loss: number): Failure {
  const remedy =
    step === 0
      ? "look for values that are no numbers in the model's weights"
      : 'lower learning_rate or add warmup_steps';
  return new Failure(
    'Diverged',
    `the evaluation's loss is ${loss} after optimizer step ${step}; ${remedy}`,
  );
}

function describe({ step, rows, trainRows }: Place): string {
  const ids = Array.from(rows.subarray(0, SHOWN_ROWS), (row) => trainRows.ids[row]).join(', ');
  const more = rows.length > SHOWN_ROWS ? ` and ${rows.length - SHOWN_ROWS} more` : '';
  return `optimizer step ${step}, on the rows ${ids}${more}`;
}

function short(value: number): string {
  return value < 1e6 ? String(Number(value.toPrecision(4))) : value.toExponential(2);
}
