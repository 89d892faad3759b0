import { userInfo } from 'node:os';
import type { Command } from 'commander';

interface Helpers {
  readonly end: (code: Promise<number>) => Promise<void>;
  readonly collect: (value: string, earlier?: readonly string[]) => readonly string[];
}

/** Commands for a run that goes on: each sends a message that `temporal workflow` can send, too. */
export function addInterventions(program: Command, { end, collect }: Helpers): void {
  const load = () => import('./commands/interventions.ts');
  const add = (name: string, description: string): Command =>
    program
      .command(name)
      .description(description)
      .argument('<id>', 'of the run')
      .option('--follow', 'then follow the run, as `run` does')
      .option('--json', 'as JSON');
  add('retry', 'try a paused step again; without STEP all that are paused because they failed')
    .argument('[step]')
    .action(async (id, step, options) => end((await load()).retry(id, step, options)));
  add(
    'skip',
    'leave a step out that is paused or has not begun; what depends on it is left out too',
  )
    .argument('<step>')
    .option('--outputs <json>', 'in place of its own: then what depends on it runs')
    .action(async (id, step, options) => end((await load()).skip(id, step, options)));
  add('approve', 'answer a step that asks')
    .argument('<step>')
    .option('--reject', 'the answer is no')
    .option('--by <name>', 'who decides', userInfo().username)
    .option('--comment <text>', 'why')
    .action(async (id, step, options) => end((await load()).approve(id, step, options)));
  add('set-params', 'change params of a paused run; what depends on them runs again')
    .option('-p, --param <name=value>', 'a param and its new value; again for more', collect)
    .action(async (id, options) => end((await load()).setParams(id, options)));
  add('pause', 'start no more steps of a run until `resume`; what runs goes on').action(
    async (id, options) => end((await load()).pause(id, options)),
  );
}
