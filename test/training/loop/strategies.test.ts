import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import {
  trainingArgumentsSchema,
  type TrainingArgumentsInput,
} from '../../../training/arguments.ts';
import {
  criterionOf,
  decideSave,
  judge,
  type EarlyStopping,
} from '../../../training/best-model.ts';
import { epochAfter, planSchedule } from '../../../training/schedule.ts';
import { chooseStrategies, DueTimes } from '../../../training/strategies.ts';
import { startProgress } from '../../../training/training-progress.ts';

interface Course {
  readonly logged: number[];
  readonly evaluated: number[];
  readonly saved: number[];
  readonly epochs: number[];
  readonly best: number | null;
  readonly saved_best: number | null;
  readonly steps: number;
}

interface Case {
  readonly args: TrainingArgumentsInput;
  readonly rows?: number;
  readonly early_stopping?: EarlyStopping;
  readonly trainer: Course;
}

// Of Trainer itself: make-strategies-reference.py.
const file = new URL('../../fixtures/strategies.json', import.meta.url);
const { batch, scores, cases } = JSON.parse(readFileSync(file, 'utf8')) as {
  readonly batch: TrainingArgumentsInput;
  readonly scores: readonly number[];
  readonly cases: readonly Case[];
};

/** A training whose evaluations have the scripted scores, in the order of runTraining. */
function course({ args: given, rows = 26, early_stopping: stopping }: Case): Course {
  // Trainer's own defaults, where ours differ.
  const args = trainingArgumentsSchema.parse({ logging_steps: 500, ...batch, ...given });
  const schedule = planSchedule(args, rows);
  const due = new DueTimes(schedule, chooseStrategies(args, true), args);
  const progress = startProgress([]);
  const found: Course = {
    ...{ logged: [], evaluated: [], saved: [], epochs: [] },
    ...{ best: null, saved_best: null, steps: 0 },
  };
  const remaining = [...scores];
  for (;;) {
    const { step } = progress;
    if (step > 0 && due.isLogDue({ step, isStopped: false })) found.logged.push(step);
    if (due.isEvaluationDue({ step, isStopped: false })) {
      found.evaluated.push(step);
      found.epochs.push(epochAfter(schedule, step));
      const score = remaining.shift() ?? NaN;
      if (step > 0) judge(progress, score, criterionOf(args), stopping);
    }
    if (decideSave(progress, due).isDue) found.saved.push(step);
    if (progress.isStopped || step >= schedule.totalSteps) break;
    progress.step += 1;
  }
  // Trainer looks for a best only where it is told a metric, and keeps one only where it saves.
  const hasMetric = args.metric_for_best_model !== undefined;
  return {
    ...found,
    best: hasMetric ? (progress.best?.step ?? null) : null,
    saved_best: hasMetric ? progress.savedBestStep : null,
    steps: progress.step,
  };
}

const described = ({ args, early_stopping: stopping }: Case): string =>
  JSON.stringify({ ...args, ...stopping });

test.each(cases.map((each) => [described(each), each] as const))(
  'logs, evaluates, saves and stops where Trainer does: %s',
  (_, each) => {
    const found = course(each);
    const { totalSteps } = planSchedule(
      trainingArgumentsSchema.parse({ ...batch, ...each.args }),
      each.rows ?? 26,
    );
    // By steps ours logs the last one, too.
    const logsLast = each.args.logging_strategy === undefined && found.steps === totalSteps;
    const logged = logsLast
      ? [...new Set([...each.trainer.logged, totalSteps])]
      : each.trainer.logged;
    expect(found).toEqual({ ...each.trainer, logged });
  },
);

test.each([
  { args: {}, hasEvaluation: true, by: ['steps', 'epoch', 'epoch'] },
  { args: {}, hasEvaluation: false, by: ['steps', 'no', 'epoch'] },
  { args: { eval_strategy: 'steps' }, hasEvaluation: true, by: ['steps', 'steps', 'steps'] },
  { args: { eval_strategy: 'no' }, hasEvaluation: true, by: ['steps', 'no', 'epoch'] },
  { args: { save_strategy: 'no' }, hasEvaluation: true, by: ['steps', 'epoch', 'no'] },
] as const)('without strategies they are $by: $args', ({ args, hasEvaluation, by }) => {
  const parsed = trainingArgumentsSchema.parse(args);
  const { logging, evaluation, saving } = chooseStrategies(parsed, hasEvaluation);
  expect([logging.by, evaluation.by, saving.by]).toEqual(by);
});

test('steps that are not given are those of what is evaluated or logged', () => {
  const args = trainingArgumentsSchema.parse({ eval_strategy: 'steps', logging_steps: 7 });
  const { evaluation, saving } = chooseStrategies(args, true);
  expect([evaluation, saving]).toEqual([
    { by: 'steps', every: 7 },
    { by: 'steps', every: 7 },
  ]);
});
