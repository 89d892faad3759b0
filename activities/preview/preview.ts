import type { JsonObject } from '../../plan/json.ts';
import type { PlanStep, StepId } from '../../plan/plan.ts';
import { Matrices } from '../../plan/matrices.ts';
import { hasMatrix, type MatrixStep } from '../../plan/matrix.ts';
import { RunProgress } from '../../plan/run-progress.ts';
import { orderedSteps, stepState, type RunEvent } from '../../plan/run-state.ts';
import { forcedSteps } from '../../plan/scheduling.ts';
import type { PrepareRequest } from '../contract.ts';
import { isUncached } from '../cache-policy.ts';
import { prepareStep } from '../step-preparation.ts';
import { foresee, type Foresight } from './admission.ts';
import { EarlierRuns } from './earlier-runs.ts';
import { Estimator } from './estimates.ts';
import { besideFailingEntry } from './beside-failing-entry.ts';
import { FailuresBeside, type ForeseenFailure } from './failures-beside.ts';
import {
  eventOf,
  evaluated,
  failing,
  outputsOfForced,
  unasked,
  verified,
  type Foreseen,
} from './foreseen.ts';
import { foreseenContexts } from './foreseen-contexts.ts';
import { outcomeOfEntries, type RunPreview, type StepPreview } from './outcome.ts';
import { SameWork } from './same-work.ts';
import { supposedToSucceed } from './supposed.ts';
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
  let preview = new Preview(request, earlier, []);
  await preview.follow();
  const failures = preview.failures();
  if (failures.length > 0) {
    // How soon a step fails nobody knows: it may be before one that was told earlier.
    preview = new Preview(request, earlier, failures);
    await preview.follow();
  }
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
  /** Steps that would fail before they could begin. */
  readonly #failingAtOnce = new Set<StepId>();
  readonly #sameWork: SameWork;
  readonly #matrices: Matrices;
  readonly #progress = new RunProgress();
  readonly #beside: FailuresBeside;

  /** @param failures steps of which it was found that they would fail */
  constructor(request: PreviewRequest, earlier: EarlierRuns, failures: readonly ForeseenFailure[]) {
    const { plan, options = {}, store } = request;
    this.#request = request;
    this.#forced = forcedSteps(plan, options);
    this.#matrices = new Matrices(plan);
    this.#beside = new FailuresBeside(plan, failures);
    this.#reasons = new ReasonFinder(store, earlier, options);
    this.#sameWork = new SameWork(this.#reasons);
    this.#estimator = new Estimator(store, earlier);
    this.#progress.apply({ kind: 'planned', plan });
  }

  /** In the order of the file, each with a matrix before its entries. */
  steps(): readonly StepPreview[] {
    return orderedSteps(this.#progress.state).map(([id]) => {
      const found = this.#previews.get(id);
      if (found === undefined) throw new Error(`internal: step '${id}' was never ready`);
      return found;
    });
  }

  failures(): readonly ForeseenFailure[] {
    const { steps } = this.#request.plan;
    const failing = steps.filter(({ id }) => this.#previews.get(id)?.outcome.kind === 'fail');
    return failing.map(({ id }) => ({ id, isAtOnce: this.#failingAtOnce.has(id) }));
  }

  /** Wave by wave: the steps that wait for nothing any more, then those that waited for them. */
  async follow(): Promise<void> {
    const progress = this.#progress;
    for (;;) {
      this.#endMatrices();
      const ready = [...progress.ready(), ...this.#matrices.ready(progress.state)];
      if (ready.length === 0) return;
      const found = await Promise.all(ready.map((step) => this.#decide(step)));
      const events: RunEvent[] = [];
      for (const [i, step] of ready.entries()) {
        const foreseen = found[i];
        if (foreseen === undefined) continue;
        const settled = await this.#settle(step, foreseen);
        events.push(...(settled.expansion ?? [eventOf(step.id, settled)]));
      }
      progress.apply(...events);
    }
  }

  #foresight(step: PlanStep): Foresight {
    return {
      circumstances: this.#progress.circumstances(step),
      contexts: this.#contexts(step),
      ...{ unknown: this.#unknown, maybeSkipped: this.#maybeSkipped },
      beside: this.#beside.of(step),
    };
  }

  #contexts(step: PlanStep): JsonObject {
    return foreseenContexts(step, {
      ...{ request: this.#request, state: this.#progress.state, matrices: this.#matrices },
      ...{ unknown: this.#unknown, roots: this.#roots, maybeSkipped: this.#maybeSkipped },
    });
  }

  /** What becomes of a matrix, from what was foreseen of its entries. */
  #endMatrices(): void {
    for (const id of this.#matrices.failing(this.#progress.state)) {
      const step = this.#matrices.stepOf(id);
      const { state } = this.#progress;
      if (step === undefined) continue;
      const outcome = besideFailingEntry(id, step, this.#request.plan, state);
      if (outcome === undefined) continue;
      const known = this.#previews.get(id) ?? { id, uses: `${step.kind}@${step.version}` };
      this.#previews.set(id, { ...known, outcome });
      if (outcome.kind === 'unknown') this.#roots.set(id, outcome.until);
      if (stepState(state, id).status !== 'pending') continue;
      this.#progress.apply({ kind: 'step-cancelled', step: id, at: 0 });
    }
    for (const end of this.#matrices.ends(this.#progress.state, 0)) {
      const { entries = [] } = stepState(this.#progress.state, end.step);
      const preview = this.#previews.get(end.step);
      const found = entries.flatMap((id) => this.#previews.get(id) ?? []);
      const outcome = outcomeOfEntries(found);
      if (preview !== undefined) this.#previews.set(end.step, { ...preview, outcome, entries });
      if (entries.some((id) => this.#roots.has(id))) this.#roots.set(end.step, [end.step]);
      this.#progress.apply(end);
    }
  }

  async #decide(step: PlanStep): Promise<Foreseen> {
    const matrix = this.#matrices.stepOf(step.id);
    if (matrix !== undefined) {
      return this.#decideWork(step, this.#matrices.contextsOf(step.id, this.#contexts(matrix)));
    }
    const foresight = this.#foresight(step);
    const admission = foresee(step, foresight);
    switch (admission.kind) {
      case 'skip':
        return { outcome: { kind: 'skip', reasons: [admission.note.replace(/^not run: /, '')] } };
      case 'invalid':
        this.#failingAtOnce.add(step.id);
        return failing(`if: ${admission.message}`);
      case 'unknown': {
        const { reads, unsure, failures } = admission;
        const until = this.#rootsOf([...reads.steps, ...unsure, ...failures]);
        const reasons = this.#reasons.ofCondition(admission);
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
    if (typeof result === 'string') {
      this.#failingAtOnce.add(step.id);
      return failing(result);
    }
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
    return this.#progress.sorted(new Set([...read].flatMap((id) => this.#roots.get(id) ?? [id])));
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
    const contexts = (): JsonObject => this.#contexts(step);
    const supposed =
      outcome.kind === 'run' || outcome.kind === 'hit'
        ? supposedToSucceed(step, this.#previews, contexts, this.#unknown)
        : [];
    const estimate = mayRun ? await this.#estimator.of(step, preparation?.parts) : undefined;
    this.#previews.set(step.id, {
      ...{ id: step.id, uses: `${step.kind}@${step.version}`, outcome },
      ...(answer !== undefined && 'fingerprint' in answer && { fingerprint: answer.fingerprint }),
      ...(supposed.length > 0 && { supposed }),
      ...(estimate !== undefined && { estimate }),
    });
    return settled;
  }
}
