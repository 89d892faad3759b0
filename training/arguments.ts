import { z } from 'zod';
import { BUILT_ARGUMENTS } from './arguments/built.ts';
import { OLDER_NAMES } from './arguments/older-names.ts';
import { REFUSED_ARGUMENTS } from './arguments/refused.ts';
import { argumentProblems } from './arguments/rules.ts';

type RefusedName = keyof typeof REFUSED_ARGUMENTS;
type OlderNameOf = keyof typeof OLDER_NAMES;

const olderNames = Object.fromEntries(
  Object.entries(OLDER_NAMES).map(([name, { schema }]) => [name, schema]),
) as { readonly [Name in OlderNameOf]: (typeof OLDER_NAMES)[Name]['schema'] };

/** Their values are read by nobody: any is refused, with the reason. */
const refused = Object.fromEntries(
  Object.entries(REFUSED_ARGUMENTS).map(([name, error]) => [
    name,
    z.never({ error }).optional().describe(error),
  ]),
) as { readonly [Name in RefusedName]: z.ZodOptional<z.ZodNever> };

/** With the older names still in it. */
const given = z.strictObject({ ...BUILT_ARGUMENTS, ...olderNames, ...refused });
type GivenArguments = z.output<typeof given>;

/** With every default filled in, under the names of transformers 5.x. */
export type TrainingArguments = Omit<GivenArguments, OlderNameOf | RefusedName>;

/**
 * Hugging Face's TrainingArguments: names, meanings and defaults of transformers 5.23, but where
 * docs/training-arguments.md says otherwise. Older names become the newer ones. Any other key, and
 * any that means nothing here, is refused.
 */
export const trainingArgumentsSchema = given
  .superRefine((args, context) => {
    const problems = [...olderNameProblems(args), ...argumentProblems(withoutOlderNames(args))];
    for (const { path, message } of problems) {
      context.addIssue({ code: 'custom', path: [...path], message, input: args });
    }
  })
  .transform(withoutOlderNames);

/** What a person writes: every key may be left out. */
export type TrainingArgumentsInput = z.input<typeof trainingArgumentsSchema>;

/** An older name beside the newer one, when they do not say the same. */
function olderNameProblems(
  args: GivenArguments,
): readonly { readonly path: readonly string[]; readonly message: string }[] {
  const renamed: Partial<TrainingArguments> = newerArguments(args);
  return (Object.keys(OLDER_NAMES) as OlderNameOf[]).flatMap((name) => {
    const { now } = OLDER_NAMES[name];
    const value = renamed[now];
    if (value === undefined || args[name] === undefined) return [];
    if (args[now] === given.shape[now].parse(undefined) || args[now] === value) return [];
    return [{ path: [name], message: `${now} is given too: remove ${name}, its older name` }];
  });
}

/** What the older names that are given say, under the newer ones. */
function newerArguments(args: GivenArguments): Partial<TrainingArguments> {
  return {
    ...(args.evaluation_strategy !== undefined && { eval_strategy: args.evaluation_strategy }),
    ...(args.warmup_ratio !== undefined && { warmup_steps: args.warmup_ratio }),
    ...(args.group_by_length === true && { train_sampling_strategy: 'group_by_length' as const }),
    ...(args.per_gpu_train_batch_size !== undefined && {
      per_device_train_batch_size: args.per_gpu_train_batch_size,
    }),
    ...(args.adafactor === true && { optim: 'adafactor' as const }),
  };
}

function withoutOlderNames(args: GivenArguments): TrainingArguments {
  const hidden: ReadonlySet<string> = new Set([
    ...Object.keys(OLDER_NAMES),
    ...Object.keys(REFUSED_ARGUMENTS),
  ]);
  const built = Object.entries(args).filter(([name]) => !hidden.has(name));
  return { ...(Object.fromEntries(built) as TrainingArguments), ...newerArguments(args) };
}
