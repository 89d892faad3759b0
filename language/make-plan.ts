import type { MatrixStrategy, Plan, PlanStep, StepId } from '../plan/plan.ts';
import { DEFAULT_MAX_PARALLEL, DEFAULT_RUNS_ON } from './defaults.ts';
import { mapToJson, toJson } from './located.ts';
import type { Pipeline, Step, Strategy } from './pipeline.ts';
import type { Range } from './source-text.ts';
import type { StepSignature } from './step-declaration.ts';

/** For each step the steps it waits for, and where the file says so. */
export type Graph = Map<StepId, Map<StepId, () => Range>>;

/** The plan of a pipeline in which nothing is wrong. */
export function planOf(pipeline: Pipeline, graph: Graph): Plan {
  const { name, description, env, defaults, outputs, paramValues, steps, onPause } = pipeline;
  return {
    name,
    ...(description !== undefined && { description }),
    params: Object.fromEntries(paramValues),
    env,
    maxParallel: defaults.maxParallel ?? DEFAULT_MAX_PARALLEL,
    steps: [...steps.values()].map((step) => planStep(step, pipeline, graph)),
    outputs: outputs === undefined ? {} : mapToJson(outputs),
    ...(onPause !== undefined && { onPause: planStep(onPause, pipeline, graph) }),
  };
}

function planStep(step: Step, { defaults }: Pipeline, graph: Graph): PlanStep {
  const { id, with: inputs, condition, strategy, search, retry, timeoutMs } = step;
  const { cache, description, onFailure, pauseTimeoutMs } = step;
  const { kind, version, revision, source, effect, role } = signatureOf(step);
  const runsOn = step.runsOn ?? (role === 'train' ? defaults.runsOn : undefined);
  return {
    id,
    kind,
    version,
    revision,
    ...(source !== undefined && { source }),
    effect,
    role,
    needs: [...(graph.get(id)?.keys() ?? [])],
    with: inputs === undefined ? {} : mapToJson(inputs),
    ...(strategy !== undefined && { strategy: planStrategy(strategy) }),
    ...(search !== undefined && { search }),
    ...(condition !== undefined && { if: condition.text }),
    runsOn: runsOn === undefined ? DEFAULT_RUNS_ON : toJson(runsOn.value),
    retry,
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(onFailure === 'pause' && { pauseTimeoutMs }),
    ...(cache !== undefined && { cache }),
    ...(description !== undefined && { description }),
  };
}

function planStrategy(strategy: Strategy): MatrixStrategy {
  const { dimensions, include, exclude, maxParallel, failFast } = strategy;
  return {
    matrix: Object.fromEntries(
      [...dimensions.values()].map(({ key, value }) => [key, toJson(value)]),
    ),
    ...(include !== undefined && { include: toJson(include.value) }),
    ...(exclude !== undefined && { exclude: toJson(exclude.value) }),
    ...(maxParallel !== undefined && { maxParallel }),
    failFast,
  };
}

function signatureOf({ id, signature }: Step): StepSignature {
  if (signature === undefined) throw new Error(`internal: step '${id}' passed without a kind`);
  return signature;
}
