import type { JsonObject } from '../plan/json.ts';
import type { Plan, StepId } from '../plan/plan.ts';
import type { Catalog } from './catalog.ts';
import { checkCycles } from './checks/cycle.ts';
import { checkStatusFunctions } from './checks/expression.ts';
import { checkPlanSize } from './checks/limit.ts';
import { checkNeverTrue } from './checks/never-true.ts';
import { checkNeeds, checkReferences } from './checks/reference.ts';
import { checkRepeatedNeeds } from './checks/repeated-need.ts';
import { checkDefaultRunsOn, checkRunsOn } from './checks/runs-on.ts';
import { checkNoSecrets, checkSecrets } from './checks/secret.ts';
import { checkUnreachable } from './checks/unreachable.ts';
import { checkUnusedParams } from './checks/unused-param.ts';
import { checkInputs } from './checks/with.ts';
import { contextSchema } from './context-schema.ts';
import { Dependents } from './dependents.ts';
import type { Diagnostic } from './diagnostic.ts';
import { checkKnownCondition } from './known-values.ts';
import type { Located } from './located.ts';
import { scalars } from './located.ts';
import { type Graph, planOf } from './make-plan.ts';
import { knownEntries, matrixSchema, telling } from './matrix-schema.ts';
import { parseYaml } from './parse.ts';
import type { Pipeline, Step } from './pipeline.ts';
import { readPipeline } from './read-pipeline.ts';
import type { Reporter } from './reporter.ts';
import { type PipelineText, readSource } from './source.ts';
import type { Range } from './source-text.ts';
import { type InputContext, resolveScalar, type StepContext } from './step-inputs.ts';
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
  return withoutPipeline(compiled(options, true));
}

/** Everything that is wrong with a file, and hints; params without a default need no value. */
export function check(options: CheckOptions): readonly Diagnostic[] {
  const drafted = draft(options);
  return drafted.ok ? drafted.hints : drafted.diagnostics;
}

/** As `compile`, of a file alone: the plan lacks the values of params without a default. */
export function draft(options: CheckOptions): Compilation {
  return withoutPipeline(draftWithPipeline(options));
}

/** As `draft`, with what the file says in its own order and places. */
export function draftWithPipeline(options: CheckOptions): CompilationWithPipeline {
  return compiled(options, false);
}

type CompilationWithPipeline =
  | (Extract<Compilation, { ok: true }> & { readonly pipeline: Pipeline })
  | Extract<Compilation, { ok: false }>;

function withoutPipeline(compilation: CompilationWithPipeline): Compilation {
  if (!compilation.ok) return compilation;
  const { pipeline: _, ...rest } = compilation;
  return rest;
}

function compiled(options: CheckOptions, isSubmission: boolean): CompilationWithPipeline {
  const { reporter, pipeline, graph } = analyse(options, isSubmission);
  if (pipeline !== undefined && !reporter.hasErrors) {
    const plan = planOf(pipeline, graph);
    checkPlanSize(plan, options.params, reporter);
    if (!reporter.hasErrors) return { ok: true, plan, pipeline, hints: reporter.diagnostics() };
  }
  return { ok: false, diagnostics: reporter.diagnostics() };
}

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
  const dependents = new Dependents(graph);
  const contexts = contextSchema({ pipeline, dependents, templates, reporter });
  const context = { pipeline, dependents, contexts, templates, reporter };
  const read = [...pipeline.steps.values()].map((step) => {
    const evaluated = evaluatedExpressions(step, context);
    const decisive = decisiveExpressions(step, context);
    graph.set(step.id, needsOf(step, [...evaluated, ...decisive], pipeline));
    return { step, evaluated, decisive };
  });
  for (const { step, evaluated, decisive } of read) {
    checkNeeds(step.needs, pipeline, reporter);
    checkRepeatedNeeds(step, [...evaluated, ...decisive], reporter);
    const inner = stepContext(step, context);
    for (const located of evaluated) checkReferences(located, pipeline, inner.contexts, reporter);
    for (const located of decisive) checkReferences(located, pipeline, contexts, reporter);
    for (const located of evaluated) checkStatusFunctions(located, reporter);
    if (step.condition !== undefined) checkKnownCondition(step.condition, context);
    checkInputs(step, inner, catalog);
    checkRunsOn(step, inner);
  }
  checkOutputs(context);
  checkOnPause(context, catalog);
  checkDefaultRunsOn(context);
  checkCycles(graph, reporter);
  checkConditions(graph, context);
  checkUnusedParams(pipeline, templates, reporter);
  return { reporter, pipeline, graph };
}

function checkConditions(graph: Graph, { pipeline, contexts, reporter }: InputContext): void {
  const neverTrue = new Set<StepId>();
  for (const step of pipeline.steps.values()) {
    const needCount = graph.get(step.id)?.size ?? 0;
    const canBeTrue = checkNeverTrue(step, needCount, pipeline, contexts, reporter);
    if (!canBeTrue) neverTrue.add(step.id);
  }
  checkUnreachable(graph, neverTrue, pipeline, contexts, reporter);
}

function checkOutputs(context: InputContext): void {
  const { pipeline, contexts, templates, reporter } = context;
  const { outputs } = pipeline;
  if (outputs === undefined) return;
  for (const located of readExpressions(outputs, templates)) {
    checkStatusFunctions(located, reporter);
    checkNoSecrets(located, 'outputs', reporter);
    checkReferences(located, pipeline, contexts, reporter);
  }
  for (const scalar of scalars(outputs)) resolveScalar(scalar, context);
}

/** Rule `reference` beside those of any input: the message is sent whatever has run by then. */
function checkOnPause(context: InputContext, catalog: Catalog): void {
  const { pipeline, contexts, reporter } = context;
  const { onPause } = pipeline;
  if (onPause === undefined) return;
  for (const located of evaluatedExpressions(onPause, context)) {
    checkStatusFunctions(located, reporter);
    const read = located.expression.references.find((each) => each.context === 'steps');
    if (read === undefined) checkReferences(located, pipeline, contexts, reporter);
    else reporter.error('reference', located.rangeOf(read), NO_STEPS);
  }
  checkInputs(onPause, context, catalog);
}

const NO_STEPS =
  "'on.pause' cannot read 'steps', of which any may pause; read params, env, run or secrets";

/** The context of a step's inputs: one with a matrix reads it. */
function stepContext(step: Step, context: InputContext): StepContext {
  const { strategy } = step;
  if (strategy === undefined) return context;
  const matrix = matrixSchema(strategy, context);
  const entries = knownEntries(step, strategy, context);
  const { properties = {} } = context.contexts;
  const contexts = { ...context.contexts, properties: { ...properties, matrix } };
  return { ...context, contexts, ...(entries !== undefined && { entries: telling(entries) }) };
}

/** What is evaluated for each entry of a step's matrix. */
function evaluatedExpressions(
  step: Step,
  { pipeline: { defaults }, templates, reporter }: InputContext,
): readonly LocatedExpression[] {
  const runsOn = step.runsOn ?? (step.signature?.role === 'train' ? defaults.runsOn : undefined);
  const inputs = readExpressions(step.with, templates);
  for (const located of inputs) checkSecrets(located, reporter);
  const labels = readExpressions(runsOn?.value, templates);
  for (const located of labels) checkNoSecrets(located, 'runs_on', reporter);
  return [...inputs, ...labels];
}

/** What decides whether a step runs, and how often. */
function decisiveExpressions(
  { condition, strategy }: Step,
  { templates, reporter }: InputContext,
): readonly LocatedExpression[] {
  const parts = [
    ...(strategy?.dimensions.values() ?? []),
    ...[strategy?.include, strategy?.exclude].filter((part) => part !== undefined),
  ];
  const located = parts.flatMap(({ value }) => readExpressions(value, templates));
  for (const each of located) {
    checkNoSecrets(each, 'strategy', reporter);
    checkStatusFunctions(each, reporter);
  }
  if (condition?.expression === undefined) return located;
  checkNoSecrets(condition.expression, 'if', reporter);
  return [...located, condition.expression];
}

function readExpressions(
  located: Located | undefined,
  templates: TemplateReader,
): readonly LocatedExpression[] {
  if (located === undefined) return [];
  const found: LocatedExpression[] = [];
  for (const scalar of scalars(located)) found.push(...(templates.read(scalar)?.expressions ?? []));
  return found;
}

function needsOf(
  { needs: written }: Step,
  expressions: readonly LocatedExpression[],
  { steps }: Pipeline,
): Map<StepId, () => Range> {
  const needs = new Map(written.map(({ id, range }) => [id, () => range]));
  for (const { expression, rangeOf } of expressions) {
    for (const reference of expression.references) {
      const [first] = reference.path;
      if (reference.context !== 'steps' || first?.kind !== 'name') continue;
      if (steps.has(first.name) && !needs.has(first.name)) {
        needs.set(first.name, () => rangeOf(reference));
      }
    }
  }
  return needs;
}
