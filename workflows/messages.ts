import { defineQuery } from '@temporalio/workflow';
import { STATE_QUERY } from '../plan/names.ts';
import type { RunState } from '../plan/plan.ts';

export const stateQuery = defineQuery<RunState>(STATE_QUERY);
