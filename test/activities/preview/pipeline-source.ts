import type { Condition, RandomPipeline, RandomStep } from './random-pipelines.ts';

type Params = Record<string, unknown>;

/** The pipeline's file, as JSON, which is YAML. @param name also a folder of the data root */
export function sourceOf(name: string, { steps, files }: RandomPipeline): string {
  const params: Params = {};
  const entries = steps.map((step, i) => {
    const { id, kind, condition, matrix } = step;
    if (condition.kind === 'param') params[`on${i}`] = condition.isOn;
    if (condition.kind === 'count') params[`on${i}`] = condition.isOn;
    const given = {
      ...(kind === 'read' && {
        source: `${name}/${Object.keys(files).find((file) => id.startsWith(file))}`,
      }),
      ...datasetsOf(step, steps),
      ...((kind === 'rewrite' || kind === 'refine') && { mode: modeOf(step) }),
      ...(hasText(step) && { text: textOf(step, i, params) }),
      ...(kind === 'compute' && { device: step.device }),
    };
    const waits = step.needs.filter((need) => !step.reads.includes(need));
    const asked = conditionText(condition, i, steps);
    return [
      id,
      {
        ...{ uses: `${kind}@1`, with: given },
        ...(waits.length > 0 && { needs: waits.map((need) => steps[need]?.id) }),
        ...(asked !== undefined && { if: asked }),
        ...(matrix !== undefined && { strategy: strategyOf(step, i, steps, params) }),
        ...(kind === 'compute' && { runs_on: step.label }),
      },
    ];
  });
  return JSON.stringify({ name, params, steps: Object.fromEntries(entries) as object }, null, 2);
}

/** The input that takes what the step reads; of a step with a matrix all entries, or the first. */
function datasetsOf({ kind, reads, matrix }: RandomStep, steps: readonly RandomStep[]): object {
  const [first] = reads;
  if (first === undefined) return {};
  const isAll = kind === 'join' && reads.length === 1 && steps[first]?.matrix !== undefined;
  if (isAll) return { datasets: `\${{ ${outputsOf(steps[first])}.*.dataset }}` };
  const texts = reads.map((read) => {
    const step = steps[read];
    return `\${{ ${outputsOf(step)}${step?.matrix === undefined ? '' : '[0]'}.dataset }}`;
  });
  if (kind === 'join') return { datasets: texts };
  return { dataset: matrix?.isOverEntries === true ? '${{ matrix.of.dataset }}' : texts[0] };
}

function outputsOf(step: RandomStep | undefined): string {
  return `steps.${step?.id}.outputs`;
}

function modeOf({ mode, matrix }: RandomStep): string {
  return matrix?.hasInclude === true ? `\${{ matrix.mode || '${mode}' }}` : mode;
}

function hasText({ kind }: RandomStep): boolean {
  return kind === 'rewrite' || kind === 'refine' || kind === 'announce';
}

function textOf({ matrix, isParam, text }: RandomStep, i: number, params: Params): string {
  if (matrix !== undefined) return '${{ matrix.text }}';
  if (!isParam) return text;
  params[`text${i}`] = text;
  return `\${{ params.text${i} }}`;
}

function strategyOf(
  { matrix, reads }: RandomStep,
  i: number,
  steps: readonly RandomStep[],
  params: Params,
): object | undefined {
  if (matrix === undefined) return undefined;
  const { texts, from, isOverEntries, hasInclude, hasExclude, maxParallel, failFast } = matrix;
  if (from === 'param') params[`texts${i}`] = texts;
  const given = from === 'param' ? `\${{ params.texts${i} }}` : texts;
  const text = typeof from === 'string' ? given : `\${{ ${outputsOf(steps[from.list])}.lines }}`;
  const entries = `\${{ ${outputsOf(steps[reads[0] ?? 0])} }}`;
  return {
    matrix: { text, ...(isOverEntries && { of: entries }) },
    ...(hasInclude && { include: [{ text: 'a', mode: 'head' }] }),
    ...(hasExclude && { exclude: [{ text: 'row' }] }),
    ...(maxParallel !== null && { max_parallel: maxParallel }),
    fail_fast: failFast,
  };
}

function conditionText(
  condition: Condition,
  i: number,
  steps: readonly RandomStep[],
): string | undefined {
  switch (condition.kind) {
    case 'none':
      return undefined;
    case 'param':
      return `\${{ params.on${i} }}`;
    case 'count': {
      const lines = `${outputsOf(steps[condition.of])}.lines`;
      return `\${{ params.on${i} || ${lines} > ${condition.above} }}`;
    }
    case 'always':
      return '${{ always() }}';
  }
}
