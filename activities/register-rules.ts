import { z } from 'zod';

/** The inputs of register@1 that rules read; before a run, some values are known to be there only. */
interface Given {
  readonly evaluation?: unknown;
  readonly alias?: unknown;
  readonly promote?: unknown;
  readonly metric?: unknown;
  readonly min_gain?: unknown;
}

const ONLY_IF_BETTER = 'only promote: if_better compares: remove it, or set promote to if_better';
const comparesNothing = ({ promote }: Given): boolean =>
  promote === undefined || promote === 'always' || promote === 'never';

const RULES: readonly {
  readonly path: string;
  readonly isBroken: (given: Given) => boolean;
  readonly error: string;
}[] = [
  {
    path: 'promote',
    isBroken: ({ promote, evaluation }) => promote === 'if_better' && evaluation === undefined,
    error:
      'there is no evaluation to compare: add evaluation with the report of an evaluate@1 step, or set it to always or never',
  },
  {
    path: 'promote',
    isBroken: ({ promote, alias }) => promote === 'if_better' && alias === undefined,
    error: 'there is no alias to move: add one, such as alias: champion',
  },
  ...(['metric', 'min_gain'] as const).map((path) => ({
    path,
    isBroken: (given: Given) => given[path] !== undefined && comparesNothing(given),
    error: ONLY_IF_BETTER,
  })),
];

/** What inputs of register@1 have to do with each other; looked at also when others are not known yet. */
export const registerRules = RULES.map(({ path, isBroken, error }) =>
  z.refine<Given>((given) => !isBroken(given), {
    path: [path],
    error,
    when: ({ value }) => typeof value === 'object' && value !== null,
  }),
);
