import type { JsonObject } from '../plan/json.ts';
import type { Plan, PlanStep } from '../plan/plan.ts';
import type { Catalog } from './catalog.ts';
import { checkCycles } from './checks/cycle.ts';
import { checkStatusFunctions } from './checks/expression.ts';
import { checkPlanSize } from './checks/limit.ts';
import { checkNeeds, checkReferences } from './checks/reference.ts';
import { checkRunsOn } from './checks/runs-on.ts';
import { checkInputs } from './checks/with.ts';
import { contextSchema } from './context-schema.ts';
import type { Diagnostic } from './diagnostic.ts';
import { checkKnownCondition } from './known-values.ts';
import type { Located } from './located.ts';
import { mapToJson, scalars, toJson } from './located.ts';
import { parseYaml } from './parse.ts';
import type { Pipeline, Step } from './pipeline.ts';
import { readPipeline } from './read-pipeline.ts';
import type { Reporter } from './reporter.ts';
import { type PipelineText, readSource } from './source.ts';
import type { Range } from './source-text.ts';
import type { StepSignature } from './step-declaration.ts';
import { type InputContext, resolveScalar } from './step-inputs.ts';
import { type LocatedExpression, TemplateReader } from './template.ts';

export { formatDiagnostics } from './diagnostic.ts';
export type { Diagnostic } from './diagnostic.ts';

export interface CheckOptions {
  /** Bytes of YAML, YAML, or the object that the YAML would give. */
  readonly source: PipelineText;
  /** The file's name in diagnostics. Default pipeline.yaml. */
  readonly sourceName?: string;
  /** Values for the file's params, typed as JSON. */
  readonly params?: JsonObject;
  /** Every step kind that the file may use. */
  readonly catalog: Catalog;
}

export type Compilation =
  | { readonly ok: true; readonly plan: Plan; readonly hints: readonly Diagnostic[] }
  /** Errors, and hints between them, in the order of the text. */
  | { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };

/**
 * Turns a pipeline's text into the plan that a run follows, or into everything that is wrong with
 * it. What a person wrote never makes it throw.
 */
export function compile(options: CheckOptions): Compilation {
  return compiled(options, true);
}

/** Everything that is wrong with a file, and hints; params without a default need no value. */
export function check(options: CheckOptions): readonly Diagnostic[] {
  const drafted = draft(options);
  return drafted.ok ? drafted.hints : drafted.diagnostics;
}

/** As `compile`, of a file alone: the plan lacks the values of params without a default. */
export function draft(options: CheckOptions): Compilation {
  return compiled(options, false);
}

function compiled(options: CheckOptions, isSubmission: boolean): Compilation {
  const { reporter, pipeline, graph } = analyse(options, isSubmission);
  if (pipeline !== undefined && !reporter.hasErrors) {
    const plan = planOf(pipeline, graph);
    checkPlanSize(plan, options.params, reporter);
    if (!reporter.hasErrors) return { ok: true, plan, hints: reporter.diagnostics() };
  }
  return { ok: false, diagnostics: reporter.diagnostics() };
}

/** For each step the steps it waits for, and where the file says so. */
type Graph = Map<string, Map<string, Range>>;

interface Analysis {
  readonly reporter: Reporter;
  readonly pipeline?: Pipeline;
  readonly graph: Graph;
}

function analyse(options: CheckOptions, isSubmission: boolean): Analysis {
  const { source, sourceName = 'pipeline.yaml' } = options;
  const reporter = readSource(source, sourceName);
  const analysis = reporter.attempt(() => analyseSource(reporter, options, isSubmission));
  return analysis ?? { reporter, graph: new Map() };
}

function analyseSource(
  reporter: Reporter,
  { params = {}, catalog }: CheckOptions,
  isSubmission: boolean,
): Analysis {
  const graph: Graph = new Map();
  const root = reporter.hasErrors ? undefined : parseYaml(reporter);
  if (root === undefined) return { reporter, graph };
  const templates = new TemplateReader(reporter);
  const pipeline = readPipeline(root, { params, isSubmission, catalog }, templates, reporter);
  const contexts = contextSchema(pipeline);
  const context = { pipeline, contexts, templates, reporter };
  for (const step of pipeline.steps.values()) {
    graph.set(step.id, new Map(step.needs.map(({ id, range }) => [id, range])));
    checkNeeds(step.needs, pipeline, reporter);
    for (const located of expressionsOf(step, pipeline, templates, reporter)) {
      checkReferences(located, pipeline, contexts, reporter);
      addNeeds(located, pipeline, graph.get(step.id));
    }
    if (step.condition !== undefined) {
      checkKnownCondition(step.condition, pipeline, contexts, reporter);
    }
    checkInputs(step, context, catalog);
  }
  checkOutputs(context);
  checkRunsOn(context);
  checkCycles(graph, reporter);
  return { reporter, pipeline, graph };
}

function checkOutputs(context: InputContext): void {
  const { pipeline, contexts, templates, reporter } = context;
  const { outputs } = pipeline;
  if (outputs === undefined) return;
  for (const located of readExpressions(outputs, templates)) {
    checkStatusFunctions(located, reporter);
    checkReferences(located, pipeline, contexts, reporter);
  }
  for (const scalar of scalars(outputs)) resolveScalar(scalar, context);
}

function expressionsOf(
  step: Step,
  { defaults }: Pipeline,
  templates: TemplateReader,
  reporter: Reporter,
): readonly LocatedExpression[] {
  const runsOn = step.runsOn ?? (step.signature?.role === 'train' ? defaults.runsOn : undefined);
  const evaluated = [
    ...readExpressions(step.with, templates),
    ...readExpressions(runsOn?.value, templates),
  ];
  for (const located of evaluated) checkStatusFunctions(located, reporter);
  const condition = step.condition?.expression;
  return condition === undefined ? evaluated : [...evaluated, condition];
}

function readExpressions(
  located: Located | undefined,
  templates: TemplateReader,
): readonly LocatedExpression[] {
  if (located === undefined) return [];
  return [...scalars(located)].flatMap((scalar) => templates.read(scalar)?.expressions ?? []);
}

function addNeeds(
  { expression, rangeOf }: LocatedExpression,
  { steps }: Pipeline,
  needs: Map<string, Range> | undefined,
): void {
  for (const reference of expression.references) {
    const [first] = reference.path;
    if (reference.context !== 'steps' || first?.kind !== 'name') continue;
    if (steps.has(first.name) && needs?.has(first.name) === false) {
      needs.set(first.name, rangeOf(reference));
    }
  }
}

const DEFAULT_MAX_PARALLEL = 16;
const DEFAULT_RUNS_ON = 'cpu';

function planOf(pipeline: Pipeline, graph: Graph): Plan {
  const { name, description, env, defaults, outputs, paramValues, steps } = pipeline;
  return {
    name,
    ...(description !== undefined && { description }),
    params: Object.fromEntries(paramValues),
    env,
    maxParallel: defaults.maxParallel ?? DEFAULT_MAX_PARALLEL,
    steps: [...steps.values()].map((step) => planStep(step, pipeline, graph)),
    outputs: outputs === undefined ? {} : mapToJson(outputs),
  };
}

function planStep(step: Step, { defaults }: Pipeline, graph: Graph): PlanStep {
  const { id, with: inputs, condition, retry, timeoutMs, description } = step;
  const { kind, version, revision, effect, role } = signatureOf(step);
  const runsOn = step.runsOn ?? (role === 'train' ? defaults.runsOn : undefined);
  return {
    id,
    kind,
    version,
    revision,
    effect,
    role,
    needs: [...(graph.get(id)?.keys() ?? [])],
    with: inputs === undefined ? {} : mapToJson(inputs),
    ...(condition !== undefined && { if: condition.text }),
    runsOn: runsOn === undefined ? DEFAULT_RUNS_ON : toJson(runsOn.value),
    retry,
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(description !== undefined && { description }),
  };
}

function signatureOf({ id, signature }: Step): StepSignature {
  if (signature === undefined) throw new Error(`internal: step '${id}' passed without a kind`);
  return signature;
}
