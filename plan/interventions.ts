import type { JsonObject } from './json.ts';
import type { RunState, StepId, StepState } from './plan.ts';
import { stepState } from './run-state.ts';

/** What a person does to a run that goes on, as messages of the workflow. Each may be refused. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
}

/** The update `retry`; without a step all that are paused because they failed. */
export interface RetryRequest {
  readonly step?: StepId;
}

/** The update `skip`: outputs stand for what the step would have given. */
export interface SkipRequest {
  readonly step: StepId;
  readonly outputs?: JsonObject;
}

export const DECISIONS = ['approved', 'rejected'] as const;
export type Verdict = (typeof DECISIONS)[number];

/** What somebody, or the end of the time to wait, decided. */
export interface Decision {
  readonly decision: Verdict;
  /** As given: nobody checks who it was. Empty when the time was over. */
  readonly by: string;
  readonly comment: string;
}

/** What a step asks a person before it runs. */
export interface Question {
  readonly message: string;
  /** How long it waits; after that `onTimeout` is the decision. */
  readonly timeoutMs: number;
  readonly onTimeout: Verdict;
}

/** The update `approve`. */
export interface ApproveRequest extends Decision {
  readonly step: StepId;
}

/** The update `set_params`: these, and the others as they were. */
export interface SetParamsRequest {
  readonly params: JsonObject;
}

const EXAMPLES = {
  retry: '{"step": "tune"}',
  skip: '{"step": "tune", "outputs": {"model": "sha256:..."}}',
  approve: '{"step": "gate", "decision": "approved", "by": "ada", "comment": "looks well"}',
  set_params: '{"params": {"learning_rate": 5e-5}}',
} as const;
type Update = keyof typeof EXAMPLES;

/** @throws Refusal that says what was found and what is expected */
export function readRetry(input: unknown): RetryRequest {
  if (input === undefined || input === null) return {};
  const fields = fieldsOf('retry', input, ['step']);
  return fields['step'] === undefined ? {} : { step: textOf('retry', fields, 'step') };
}

/** @throws Refusal that says what was found and what is expected */
export function readSkip(input: unknown): SkipRequest {
  const fields = fieldsOf('skip', input, ['step', 'outputs']);
  const { outputs } = fields;
  if (outputs !== undefined && !isMap(outputs)) throw expected('skip', 'outputs', outputs, 'a map');
  return { step: textOf('skip', fields, 'step'), ...(outputs !== undefined && { outputs }) };
}

/** @throws Refusal that says what was found and what is expected */
export function readApprove(input: unknown): ApproveRequest {
  const fields = fieldsOf('approve', input, ['step', 'decision', 'by', 'comment']);
  const decision = DECISIONS.find((known) => known === fields['decision']);
  if (decision === undefined) {
    throw expected('approve', 'decision', fields['decision'], DECISIONS.join(' or '));
  }
  const by = textOf('approve', fields, 'by');
  const comment = fields['comment'] === undefined ? '' : textOf('approve', fields, 'comment');
  return { step: textOf('approve', fields, 'step'), decision, by, comment };
}

/** @throws Refusal that says what was found and what is expected */
export function readSetParams(input: unknown): SetParamsRequest {
  const { params } = fieldsOf('set_params', input, ['params']);
  if (!isMap(params)) throw expected('set_params', 'params', params, 'a map of params');
  return { params };
}

function fieldsOf(update: Update, input: unknown, known: readonly string[]): JsonObject {
  // The step alone is as clear.
  const fields = typeof input === 'string' && known.includes('step') ? { step: input } : input;
  if (!isMap(fields)) throw expected(update, 'its input', fields, 'a map');
  const unknown = Object.keys(fields).find((key) => !known.includes(key));
  if (unknown === undefined) return fields;
  throw new Refusal(
    `${update}: unknown key '${unknown}'; expected ${known.join(', ')}, as in ${EXAMPLES[update]}`,
  );
}

function textOf(update: Update, fields: JsonObject, key: string): string {
  const text = fields[key];
  if (typeof text === 'string' && (text !== '' || key === 'comment')) return text;
  throw expected(update, key, text, 'text');
}

function expected(update: Update, what: string, found: unknown, wanted: string): Refusal {
  const shown = found === undefined ? 'missing' : JSON.stringify(found);
  return new Refusal(
    `${update}: ${what} is ${shown}; expected ${wanted}, as in ${EXAMPLES[update]}`,
  );
}

function isMap(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * The steps that the update `retry` is for.
 *
 * @param paused steps, and entries of matrices, that wait for somebody
 * @throws Refusal
 */
export function stepsToRetry(
  state: RunState,
  paused: readonly StepId[],
  { step }: RetryRequest,
): readonly StepId[] {
  const failed = paused.filter((id) => stepState(state, id).question === undefined);
  if (step === undefined) {
    if (failed.length > 0) return failed;
    throw new Refusal(`no step waits for another try${waitingList(state, paused)}`);
  }
  const found = known(state, step);
  const { entries = [] } = found;
  const own = failed.filter((id) => id === step || entries.includes(id));
  if (own.length > 0) return own;
  throw new Refusal(
    `step '${step}' ${standing(found)}: only a step that is paused because it failed is tried again; ${otherThanRetry(step, found)}`,
  );
}

function otherThanRetry(step: StepId, { status, question }: StepState): string {
  if (question !== undefined) return "answer it by 'approve'";
  switch (status) {
    case 'failed':
    case 'cancelled':
      return "when the run has ended, 'retune resume' goes on from it";
    case 'completed':
    case 'cached':
    case 'skipped':
      return `when the run has ended, submit it again with 'from: ${step}'`;
    default:
      return 'wait for it';
  }
}

/** @throws Refusal when the step has begun or ended, and does not wait for somebody */
export function checkSkip(state: RunState, { step, outputs }: SkipRequest): void {
  const found = known(state, step);
  const isWaiting = found.status === 'pending' || found.status === 'paused';
  if (!isWaiting) {
    throw new Refusal(
      `step '${step}' ${standing(found)}: only a step that has not begun, or is paused, can be skipped`,
    );
  }
  if (outputs === undefined || found.entries === undefined) return;
  throw new Refusal(
    `step '${step}' has a matrix: give outputs to its entries, or skip it without outputs`,
  );
}

/** @throws Refusal when the step asks nothing */
export function checkApprove(
  state: RunState,
  paused: readonly StepId[],
  { step }: ApproveRequest,
): void {
  const found = known(state, step);
  if (found.question !== undefined) return;
  const asking = paused.filter((id) => stepState(state, id).question !== undefined);
  const remedy =
    asking.length === 0
      ? 'no step of the run does'
      : `${quoted(asking)} ${asking.length === 1 ? 'does' : 'do'}`;
  throw new Refusal(`step '${step}' ${standing(found)} and asks nothing; ${remedy}`);
}

/** @throws Refusal while something goes on that may have read the params */
export function checkSetParams({ status, steps }: RunState): void {
  if (status === 'paused') return;
  const running = Object.keys(steps).filter((id) => steps[id]?.status === 'running');
  const until = running.length === 0 ? '' : `; now ${quoted(running)} still run`;
  throw new Refusal(
    `the run is ${status}: params can be changed while it is paused, as by the signal 'pause'${until}`,
  );
}

function known({ steps }: RunState, step: StepId): StepState {
  const found = Object.hasOwn(steps, step) ? steps[step] : undefined;
  if (found !== undefined) return found;
  const ids = Object.keys(steps);
  throw new Refusal(
    ids.length === 0
      ? 'the run has not begun: its pipeline is being compiled; try again'
      : `no step '${step}'; expected one of ${listed(ids)}`,
  );
}

function standing({ status, question }: StepState): string {
  return question === undefined ? `is ${status}` : 'waits for a decision';
}

/** For what a run waits that is paused, in one line. */
export function pauseNote(state: RunState, paused: readonly StepId[], isHeld: boolean): string {
  const asking = paused.filter((id) => stepState(state, id).question !== undefined);
  const failed = paused.filter((id) => !asking.includes(id));
  return [
    ...(isHeld ? ["no step starts until the signal 'resume'"] : []),
    ...(failed.length > 0 ? [`${quoted(failed)} failed: retry or skip`] : []),
    ...(asking.length > 0 ? [`${quoted(asking)} asks: approve`] : []),
  ].join('; ');
}

function waitingList(state: RunState, paused: readonly StepId[]): string {
  return paused.length === 0 ? '' : `: ${pauseNote(state, paused, false)}`;
}

/** More names than a person reads are counted. */
const MAX_NAMES = 10;

function quoted(ids: readonly StepId[]): string {
  return listed(ids.map((id) => `'${id}'`));
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, MAX_NAMES).join(', ');
  return names.length > MAX_NAMES ? `${shown} and ${names.length - MAX_NAMES} more` : shown;
}
