import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type {
  ApproveRequest,
  RetryRequest,
  SetParamsRequest,
  SkipRequest,
} from '../plan/interventions.ts';
import type { JsonObject } from '../plan/json.ts';
import {
  APPROVE_UPDATE,
  PAUSE_SIGNAL,
  RESUME_SIGNAL,
  RETRY_UPDATE,
  SET_PARAMS_UPDATE,
  SKIP_UPDATE,
  STATE_QUERY,
} from '../plan/names.ts';
import type { RunState, StepId } from '../plan/plan.ts';

export const stateQuery = defineQuery<RunState>(STATE_QUERY);

/** What an update did: the steps that it was for, or that run again because of it. */
export interface UpdateResult {
  readonly steps: readonly StepId[];
}

export const retryUpdate = defineUpdate<UpdateResult, [RetryRequest?]>(RETRY_UPDATE);
export const skipUpdate = defineUpdate<UpdateResult, [SkipRequest]>(SKIP_UPDATE);
export const approveUpdate = defineUpdate<UpdateResult, [ApproveRequest]>(APPROVE_UPDATE);
/** Answers with the values that the run has now, too. */
export const setParamsUpdate = defineUpdate<
  UpdateResult & { readonly params: JsonObject },
  [SetParamsRequest]
>(SET_PARAMS_UPDATE);

/** No step starts until the signal `resume`; what runs goes on. */
export const pauseSignal = defineSignal(PAUSE_SIGNAL);
export const resumeSignal = defineSignal(RESUME_SIGNAL);
