import type { JsonObject } from '../../plan/json.ts';
import type { PlanStep, RunState, StepId } from '../../plan/plan.ts';
import { Matrices } from '../../plan/matrices.ts';
import { hasMatrix, type MatrixStep } from '../../plan/matrix.ts';
import {
  emptyRunState,
  orderedSteps,
  readySteps,
  reduceRun,
  stepState,
  type RunEvent,
} from '../../plan/run-state.ts';
import { expressionContexts, forcedSteps } from '../../plan/scheduling.ts';
import type { PrepareRequest } from '../contract.ts';
import { isUncached } from '../cache-policy.ts';
import { prepareStep } from '../step-preparation.ts';
import { foresee, type Foresight } from './admission.ts';
import { EarlierRuns } from './earlier-runs.ts';
import { Estimator } from './estimates.ts';
import {
  eventOf,
  evaluated,
  failing,
  outputsOfForced,
  unasked,
  verified,
  type Foreseen,
} from './foreseen.ts';
import { outcomeOfEntries, type RunPreview, type StepPreview } from './outcome.ts';
import { SameWork } from './same-work.ts';
import { askRevision } from './source-question.ts';
import type { PreviewRequest } from './preview-request.ts';
import { ReasonFinder } from './reasons.ts';
import { UnknownValues, type Reads } from './unknown-values.ts';

/**
 * What a run of the plan would do now, and why: follows the plan as the workflow does, by the same
 * reducer, conditions and look-up in the cache, and takes each step that would run for one that
 * succeeds with outputs that nobody knows yet.
 *
 * @throws what the store throws
 */
export async function previewRun(request: PreviewRequest): Promise<RunPreview> {
  const { plan, store, catalog, since } = request;
  const earlier = await EarlierRuns.load(store, catalog, plan.name, since);
  const preview = new Preview(request, earlier);
  await preview.follow();
  return {
    name: plan.name,
    ...(earlier.newest !== undefined && { since: earlier.newest.id }),
    steps: preview.steps(),
  };
}

class Preview {
  readonly #request: PreviewRequest;
  readonly #forced: ReadonlySet<StepId>;
  readonly #reasons: ReasonFinder;
  readonly #estimator: Estimator;
  readonly #unknown = new UnknownValues();
  readonly #previews = new Map<StepId, StepPreview>();
  /** Steps whose outputs are not known, each with the steps that have to end for them to be. */
  readonly #roots = new Map<StepId, readonly StepId[]>();
  readonly #maybeSkipped = new Set<StepId>();
  readonly #sameWork: SameWork;
  readonly #matrices: Matrices;
  #state: RunState;

  constructor(request: PreviewRequest, earlier: EarlierRuns) {
    const { plan, options = {}, store } = request;
    this.#request = request;
    this.#forced = forcedSteps(plan, options);
    this.#matrices = new Matrices(plan);
    this.#reasons = new ReasonFinder(store, earlier, options);
    this.#sameWork = new SameWork(this.#reasons);
    this.#estimator = new Estimator(store, earlier);
    this.#state = reduceRun(emptyRunState(plan.name), { kind: 'planned', plan });
  }

  /** In the order of the file, each with a matrix before its entries. */
  steps(): readonly StepPreview[] {
    return orderedSteps(this.#state).map(([id]) => {
      const found = this.#previews.get(id);
      if (found === undefined) throw new Error(`internal: step '${id}' was never ready`);
      return found;
    });
  }

  /** Wave by wave: the steps that wait for nothing any more, then those that waited for them. */
  async follow(): Promise<void> {
    const { plan } = this.#request;
    for (;;) {
      this.#endMatrices();
      const ready = [...readySteps(plan, this.#state), ...this.#matrices.ready(this.#state)];
      if (ready.length === 0) return;
      const foresight = this.#foresight();
      const found = await Promise.all(ready.map((step) => this.#decide(step, foresight)));
      const events: RunEvent[] = [];
      for (const [i, step] of ready.entries()) {
        const foreseen = found[i];
        if (foreseen === undefined) continue;
        const settled = await this.#settle(step, foreseen);
        events.push(...(settled.expansion ?? [eventOf(step.id, settled)]));
      }
      this.#state = reduceRun(this.#state, ...events);
    }
  }

  #foresight(): Foresight {
    const { plan, id } = this.#request;
    const facts = this.#unknown.facts(plan.name, id);
    const known = { id: '', name: plan.name, attempt: 1, scheduled_time: '' };
    const contexts = expressionContexts(plan, this.#state, known);
    const steps: Record<string, unknown> = { ...(contexts['steps'] as JsonObject) };
    for (const step of this.#roots.keys()) {
      if (this.#matrices.stepOf(step) !== undefined) continue;
      steps[step] = this.#maybeSkipped.has(step)
        ? this.#unknown.ofStep(step)
        : { ...this.#resultsOf(step), result: 'success' };
    }
    return {
      ...{ plan, state: this.#state, unknown: this.#unknown, maybeSkipped: this.#maybeSkipped },
      contexts: { ...contexts, steps, run: facts } as unknown as JsonObject,
    };
  }

  /** Of a step of which something is unknown: of one with a matrix, what its entries give. */
  #resultsOf(step: StepId): JsonObject {
    const unknown = this.#unknown.ofStep(step);
    if (!this.#matrices.has(step)) return { outputs: unknown };
    const { entries } = stepState(this.#state, step);
    return {
      outputs: entries?.map((id) => this.#outputsOf(id)) ?? unknown,
      matrix: entries?.map((id) => stepState(this.#state, id).matrix ?? {}) ?? unknown,
    };
  }

  /** Of an entry; one that would run gives what nobody knows. */
  #outputsOf(entry: StepId): JsonObject {
    if (this.#roots.has(entry)) return this.#unknown.ofStep(entry);
    return stepState(this.#state, entry).outputs ?? {};
  }

  /** What becomes of a matrix, from what was foreseen of its entries. */
  #endMatrices(): void {
    for (const id of this.#matrices.failing(this.#state)) {
      if (stepState(this.#state, id).status !== 'pending') continue;
      const step = this.#matrices.stepOf(id);
      if (step === undefined) continue;
      const outcome = { kind: 'skip', reasons: ['another entry would fail'] } as const;
      this.#previews.set(id, { id, uses: `${step.kind}@${step.version}`, outcome });
      this.#state = reduceRun(this.#state, { kind: 'step-cancelled', step: id, at: 0 });
    }
    for (const end of this.#matrices.ends(this.#state, 0)) {
      const { entries = [] } = stepState(this.#state, end.step);
      const preview = this.#previews.get(end.step);
      const found = entries.flatMap((id) => this.#previews.get(id) ?? []);
      const outcome = outcomeOfEntries(found);
      if (preview !== undefined) this.#previews.set(end.step, { ...preview, outcome, entries });
      if (entries.some((id) => this.#roots.has(id))) this.#roots.set(end.step, [end.step]);
      this.#state = reduceRun(this.#state, end);
    }
  }

  async #decide(step: PlanStep, foresight: Foresight): Promise<Foreseen> {
    const matrix = this.#matrices.stepOf(step.id);
    if (matrix !== undefined) {
      return this.#decideWork(step, this.#matrices.contextsOf(step.id, foresight.contexts));
    }
    const admission = foresee(step, foresight);
    switch (admission.kind) {
      case 'skip':
        return { outcome: { kind: 'skip', reasons: [admission.note.replace(/^not run: /, '')] } };
      case 'invalid':
        return failing(`if: ${admission.message}`);
      case 'unknown': {
        const { reads, ends } = admission;
        const until = this.#rootsOf([...reads.steps, ...ends]);
        const reasons = this.#reasons.ofCondition(step, admission, this.#state);
        return { outcome: { kind: 'unknown', until, reasons }, isMaybeSkipped: true };
      }
      case 'run':
        return hasMatrix(step)
          ? this.#expand(step, foresight.contexts)
          : this.#decideWork(step, foresight.contexts);
    }
  }

  #expand(step: MatrixStep, contexts: JsonObject): Foreseen {
    const { result, reads } = this.#unknown.during(() => {
      try {
        return this.#matrices.expand(step, contexts, 0);
      } catch (error) {
        return error instanceof Error ? error.message : String(error);
      }
    });
    if (reads.steps.size > 0 || reads.facts.size > 0) return this.#unknownInputs(step, reads);
    if (typeof result === 'string') return failing(result);
    // Told once those of its entries are.
    return { outcome: { kind: 'hit' }, expansion: result };
  }

  /** Of a step that runs unless it is in the cache. */
  async #decideWork(step: PlanStep, contexts: JsonObject): Promise<Foreseen> {
    const isForced = this.#isForced(step);
    const { result, reads } = this.#unknown.during(() => evaluated(step, contexts, isForced));
    if (reads.steps.size > 0 || reads.facts.size > 0) {
      return this.#isCertain(step) ? this.#certain(step) : this.#unknownInputs(step, reads);
    }
    if (!result.ok) return failing(result.message);
    const { request } = result;
    if (step.effect !== 'source') return this.#prepared(step, request);
    if (this.#request.isOffline) {
      return this.#isCertain(step) ? this.#certain(step) : unasked('its source was not asked');
    }
    const asked = await askRevision(this.#request, step, request);
    return asked.ok
      ? this.#prepared(step, { ...request, upstream: asked.upstream })
      : asked.foreseen;
  }

  async #prepared(step: PlanStep, request: PrepareRequest): Promise<Foreseen> {
    const { store } = this.#request;
    const { answer: prepared, parts } = await prepareStep(this.#request, request, {
      bytes: Infinity,
    });
    const answer = await verified(store, prepared);
    const preparation = { answer, ...(parts !== undefined && { parts }) };
    if (answer.kind === 'invalid') return failing(answer.error.message);
    if (answer.kind === 'hit') {
      return { outcome: { kind: 'hit' }, preparation, outputs: answer.outputs };
    }
    const reasons = this.#isCertain(step)
      ? this.#reasons.ofEveryRun(step, request.force)
      : await this.#reasons.ofMiss(step, answer, parts);
    const outcome = { kind: 'run', reasons } as const;
    const outputs = await outputsOfForced(store, step, request, answer);
    return { outcome, preparation, ...(outputs !== undefined && { outputs }) };
  }

  #isForced({ id }: PlanStep): boolean {
    return this.#forced.has(this.#matrices.stepOf(id)?.id ?? id);
  }

  /** Whether the step runs whatever its inputs are. */
  #isCertain(step: PlanStep): boolean {
    return isUncached({ ...step, force: this.#isForced(step) }) || step.effect === 'external';
  }

  #certain(step: PlanStep): Foreseen {
    const reasons = this.#reasons.ofEveryRun(step, this.#isForced(step));
    return { outcome: { kind: 'run', reasons } };
  }

  #unknownInputs(step: PlanStep, reads: Reads): Foreseen {
    const reasons = this.#reasons.ofInputs(step, reads);
    return { outcome: { kind: 'unknown', until: this.#rootsOf(reads.steps), reasons } };
  }

  /** The steps that have to end until something is known that is read of others. */
  #rootsOf(read: Iterable<StepId>): readonly StepId[] {
    const roots = new Set([...read].flatMap((id) => this.#roots.get(id) ?? [id]));
    return this.#request.plan.steps.flatMap(({ id }) => (roots.has(id) ? [id] : []));
  }

  /** One of two steps that would do the same work finds what the other did. */
  async #settle(step: PlanStep, foreseen: Foreseen): Promise<Foreseen> {
    const isExternal = step.effect === 'external';
    const settled = isExternal
      ? foreseen
      : await this.#sameWork.after(step.id, foreseen, this.#isCertain(step));
    const { outcome, preparation, isMaybeSkipped } = settled;
    if (isMaybeSkipped) this.#maybeSkipped.add(step.id);
    const isSure = outcome.kind === 'hit' || outcome.kind === 'skip' || outcome.kind === 'fail';
    if (!isSure && settled.outputs === undefined) {
      const until = outcome.kind === 'unknown' ? outcome.until : [];
      const root = this.#matrices.stepOf(step.id)?.id ?? step.id;
      this.#roots.set(step.id, until.length === 0 ? [root] : until);
    }
    const answer = preparation?.answer;
    const mayRun = outcome.kind === 'run' || outcome.kind === 'unknown';
    const supposed = outcome.kind === 'run' || outcome.kind === 'hit' ? this.#running(step) : [];
    const estimate = mayRun ? await this.#estimator.of(step, preparation?.parts) : undefined;
    this.#previews.set(step.id, {
      ...{ id: step.id, uses: `${step.kind}@${step.version}`, outcome },
      ...(answer !== undefined && 'fingerprint' in answer && { fingerprint: answer.fingerprint }),
      ...(supposed.length > 0 && { supposed }),
      ...(estimate !== undefined && { estimate }),
    });
    return settled;
  }

  /** Of the steps that it waits for those that may run, and so may fail. */
  #running({ needs }: PlanStep): readonly StepId[] {
    return needs.filter((id) => {
      const kind = this.#previews.get(id)?.outcome.kind;
      return kind === 'run' || kind === 'unknown';
    });
  }
}
