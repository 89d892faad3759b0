import type { JsonValue } from '../json.ts';
import { bestTrial, rungSteps } from './halving.ts';
import { placeName, type RungResult, type SearchStrategy, type Trial } from './strategy.ts';

/** What became of a trial at a rung. */
export type TrialEnd =
  | (RungResult & { readonly kind: 'completed'; readonly isCached: boolean })
  | { readonly kind: 'failed'; readonly message: string };

const MAX_ROWS = 50;

/** The trials of a search as far as they have come. */
export class SearchTable {
  readonly #search: SearchStrategy;
  /** By their numbers, whoever ended first. */
  readonly #trials: Trial[] = [];
  #count = 0;
  #cached = 0;

  constructor(search: SearchStrategy) {
    this.#search = search;
  }

  /** In the order of their numbers. */
  get trials(): readonly Trial[] {
    return this.#trials;
  }

  add(trial: Trial, end: TrialEnd): void {
    this.#count += 1;
    if (end.kind === 'completed' && end.isCached) this.#cached += 1;
    const next: Trial =
      end.kind === 'failed'
        ? { ...trial, failure: end.message }
        : { ...trial, rungs: [...trial.rungs, { fingerprint: end.fingerprint, value: end.value }] };
    const place = this.#trials.findIndex(({ number }) => number === trial.number);
    if (place >= 0) this.#trials[place] = next;
    else this.#trials.push(next);
    this.#trials.sort((a, b) => a.number - b.number);
  }

  /** Why there is no best trial. */
  noneSucceeded(): string {
    const [first] = this.#trials;
    if (first === undefined) return 'the budget of the search ended before its first trial began';
    const all = this.#trials.length;
    return `all ${all} trials failed; trial ${first.number} (${this.#choice(first)}): ${first.failure ?? ''}`;
  }

  /** In a sentence, which trial is best and of how many. */
  note(best: Trial, spent: 'steps' | 'time' | undefined): string {
    const { metric } = this.#search;
    const failed = this.#trials.filter(({ failure }) => failure !== undefined).length;
    const parts = [
      `trial ${best.number} of ${this.#trials.length} is best: ${this.#choice(best)}; ${metric} ${best.rungs.at(-1)?.value ?? ''}`,
      ...(failed > 0 ? [`${failed} failed`] : []),
      ...(spent === undefined ? [] : [`its budget of ${spent} is used up`]),
      ...(this.#cached > 0 ? [`${this.#cached} of ${this.#count} results from the cache`] : []),
    ];
    return parts.join('; ');
  }

  /** The trials as a Markdown table for Temporal's own web UI: the best first, at most 50. */
  details(): string {
    const { metric, parameters, scheduler, goal } = this.#search;
    const steps = scheduler && rungSteps(scheduler);
    const sign = goal === 'minimize' ? 1 : -1;
    const last = ({ rungs }: Trial): number => sign * (rungs.at(-1)?.value ?? Infinity * sign);
    const ranked = [...this.#trials].sort(
      (a, b) => b.rungs.length - a.rungs.length || last(a) - last(b),
    );
    const rows = ranked.slice(0, MAX_ROWS).map((trial) => {
      const { number, values, rungs, failure } = trial;
      const cells = [number, ...values.map(shown), rungs.at(-1)?.value ?? failure ?? ''];
      const at = steps === undefined ? [] : [steps[rungs.length - 1] ?? ''];
      return `| ${[...cells, ...at].map((cell) => String(cell).replaceAll(/[|\n]/g, ' ')).join(' | ')} |`;
    });
    const names = parameters.map(({ path }) => placeName(path));
    const head = ['trial', ...names, metric, ...(steps === undefined ? [] : ['steps'])];
    const best = bestTrial(this.#search, this.#trials);
    return [
      `${this.#trials.length} trials${best === undefined ? '' : `, the best so far is ${best.number}`}`,
      '',
      `| ${head.join(' | ')} |`,
      `| ${head.map(() => '---').join(' | ')} |`,
      ...rows,
    ].join('\n');
  }

  #choice({ values }: Trial): string {
    return this.#search.parameters
      .map(({ path }, index) => `${placeName(path)}=${shown(values[index] ?? null)}`)
      .join(', ');
  }
}

function shown(value: JsonValue): string {
  const isSmall = typeof value === 'number' && value !== 0 && Math.abs(value) < 1e-3;
  const text = isSmall ? value.toExponential().replace('+', '') : JSON.stringify(value);
  return text.length > 40 ? `${text.slice(0, 39)}…` : text;
}
