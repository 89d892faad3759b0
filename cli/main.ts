import { Command, CommanderError, Option } from 'commander';
import { Failure } from '../plan/failures.ts';
import { FORMATS } from './formats.ts';
import { addInterventions } from './intervention-commands.ts';
import { printJson } from './output.ts';
import { collectStepFiles, STEPS_DESCRIPTION } from './step-files.ts';

// Commands are loaded when they are called: `check` needs neither Temporal nor the store.
const program = new Command('retune')
  .description('Declarative fine-tuning pipelines on Temporal and ONNX Runtime.')
  .exitOverride()
  .configureHelp({ showGlobalOptions: true });

program
  .command('init')
  .description('write NAME.yaml, a commented pipeline to start from')
  .argument('[name]', 'of the pipeline', 'my-pipeline')
  .option('--from <example>', 'a file of pipelines/, without .yaml', 'quickstart')
  .option('--json', 'as JSON')
  .action(async (name, options) => end((await import('./commands/init.ts')).init(name, options)));
program
  .command('check')
  .description('check pipeline files; exit code 1 on findings, 2 when it could not be done')
  .argument('<file...>')
  .option('-p, --param <name=value>', 'a param of the submission; again for more', collect)
  .option('--steps <file>', STEPS_DESCRIPTION, collectStepFiles)
  .addOption(
    new Option('--format <format>', 'how findings are written').choices(FORMATS).default('text'),
  )
  .addOption(new Option('--json', 'short for --format json').conflicts('format'))
  .action(async (files, options) =>
    end((await import('./commands/check.ts')).check(files, options)),
  );
program
  .command('graph')
  .description("draw a pipeline's steps; exit code 1 on findings, 2 when it cannot be read")
  .argument('<file>')
  .option('--steps <file>', STEPS_DESCRIPTION, collectStepFiles)
  .option('--mermaid', 'as a Mermaid flowchart')
  .option('--json', 'steps and what they need, as JSON')
  .action(async (file, options) => end((await import('./commands/graph.ts')).graph(file, options)));
program
  .command('print')
  .description(
    'print a pipeline with every default filled in; exit code 1 on findings, 2 when it cannot be read',
  )
  .argument('<file>')
  .option(
    '-p, --param <name=value>',
    'what becomes the default of a param; again for more',
    collect,
  )
  .option('--steps <file>', STEPS_DESCRIPTION, collectStepFiles)
  .action(async (file, options) => end((await import('./commands/print.ts')).print(file, options)));
program
  .command('kinds')
  .description('list the step kinds, or one of them with its inputs and outputs')
  .argument('[kind]', 'such as subset, or subset@1')
  .option('--steps <file>', STEPS_DESCRIPTION, collectStepFiles)
  .option('--json', 'as JSON')
  .action(async (kind, options) => end((await import('./commands/kinds.ts')).kinds(kind, options)));
program
  .command('schema')
  .description('print the JSON Schema of pipeline files, for editors')
  .option('--steps <file>', STEPS_DESCRIPTION, collectStepFiles)
  .action(async (options) => end((await import('./commands/schema.ts')).schema(options)));
program
  .command('plan')
  .description(
    'say what a run would do and why; exit code 1 when it would fail, 2 when nothing can be said',
  )
  .argument('[file]', 'a pipeline; without it the input of --since RUN, as resume would submit it')
  .option('-p, --param <name=value>', 'a param of the submission; again for more', collect)
  .option('--steps <file>', STEPS_DESCRIPTION, collectStepFiles)
  .option('--since <run>', 'compare with this run; default: the newest of the pipeline')
  .option('--id <id>', 'workflow id that the run would have, where steps read run.id')
  .option('--from <step>', 'as if this step and what depends on it ran again')
  .option('--force', 'as if every step ran again')
  .option('--offline', 'ask no source whether it has changed')
  .option('--json', 'as JSON')
  .action(async (file, options) => end((await import('./commands/plan.ts')).plan(file, options)));
program
  .command('run')
  .description('submit a pipeline and follow it; exit code 0 completed, 1 failed, 3 paused')
  .argument('<file>')
  .option('-p, --param <name=value>', 'a param of the submission; again for more', collect)
  .option('--steps <file>', STEPS_DESCRIPTION, collectStepFiles)
  .option('--id <id>', 'workflow id; an ended run of that id continues where it stopped')
  .option('--from <step>', 'run this step and what depends on it again')
  .option('--force', 'run every step again')
  .option('--detach', 'submit and return')
  .option('--json', 'the final run state as JSON')
  .action(async (file, options) => end((await import('./commands/run.ts')).run(file, options)));
program
  .command('show')
  .description('show a run: steps, attempts, live loss')
  .argument('<id>')
  .option('--json', 'the run state as JSON')
  .action(async (id, options) => end((await import('./commands/show.ts')).show(id, options)));
program
  .command('list')
  .description('list runs')
  .option('--json', 'as JSON')
  .action(async (options) => end((await import('./commands/list.ts')).list(options)));
program
  .command('resume')
  .description(
    "let a run go on: end its pause, or submit an ended run's own input again; finished steps are not done twice",
  )
  .argument('<id>')
  .option('--detach', 'submit and return')
  .option('--json', 'the final run state as JSON')
  .action(async (id, options) => end((await import('./commands/resume.ts')).resume(id, options)));
program
  .command('cancel')
  .description('cancel a run; running training writes a checkpoint first')
  .argument('<id>')
  .option('--json', 'the final run state as JSON')
  .action(async (id, options) => end((await import('./commands/cancel.ts')).cancel(id, options)));
addInterventions(program, { end, collect });
const schedule = program.command('schedule').description('recurring runs of a pipeline');
schedule
  .command('apply')
  .description("make the server's schedules those of a pipeline's `on`")
  .argument('<file>')
  .option('-p, --param <name=value>', 'a param of the scheduled runs; again for more', collect)
  .option('--steps <file>', STEPS_DESCRIPTION, collectStepFiles)
  .option('--dry-run', 'print what would change, and change nothing')
  .option('--json', 'as JSON')
  .action(async (file, options) =>
    end((await import('./commands/schedule-apply.ts')).scheduleApply(file, options)),
  );
schedule
  .command('list')
  .description('list schedules, with their next and their last run')
  .option('--json', 'as JSON')
  .action(async (options) => end((await import('./commands/schedules.ts')).scheduleList(options)));
schedule
  .command('trigger')
  .description('start a run now')
  .argument('<id>')
  .option('--json', 'as JSON')
  .action(async (id, options) =>
    end((await import('./commands/schedules.ts')).scheduleTrigger(id, options)),
  );
schedule
  .command('pause')
  .description('start no runs until it is resumed')
  .argument('<id>')
  .option('--note <text>', 'why')
  .option('--json', 'as JSON')
  .action(async (id, options) =>
    end((await import('./commands/schedules.ts')).schedulePause(id, options)),
  );
schedule
  .command('resume')
  .description('end a pause')
  .argument('<id>')
  .option('--json', 'as JSON')
  .action(async (id, options) =>
    end((await import('./commands/schedules.ts')).scheduleResume(id, options)),
  );
schedule
  .command('backfill')
  .description('start a run for each time in the past, one after another')
  .argument('<id>')
  .requiredOption('--from <time>', 'such as 2026-01-31T03:00:00Z')
  .requiredOption('--to <time>', 'such as 2026-02-03T03:00:00Z')
  .option('--json', 'as JSON')
  .action(async (id, options) =>
    end((await import('./commands/schedules.ts')).scheduleBackfill(id, options)),
  );
schedule
  .command('delete')
  .description('delete a schedule; its runs stay')
  .argument('<id>')
  .option('--json', 'as JSON')
  .action(async (id, options) =>
    end((await import('./commands/schedules.ts')).scheduleDelete(id, options)),
  );
program
  .command('models')
  .description('the model registry')
  .command('list')
  .description('list models, versions and aliases')
  .option('--json', 'as JSON')
  .action(async (options) => end((await import('./commands/models.ts')).modelsList(options)));
program
  .command('artifact')
  .description('artifacts of the store')
  .command('get')
  .description('write the files of an artifact into a folder')
  .argument('<digest>', 'sha256:..., or its first 8 or more digits')
  .requiredOption('--to <dir>', 'a new or empty folder')
  .option('--json', 'as JSON')
  .action(async (digest, options) =>
    end((await import('./commands/artifact.ts')).artifactGet(digest, options)),
  );
program
  .command('predict')
  .description('classify a text with a registered model')
  .argument('<model>', 'NAME, NAME@ALIAS or NAME@VERSION')
  .argument('<text>')
  .option('--json', 'as JSON')
  .action(async (model, text, options) =>
    end((await import('./commands/predict.ts')).predict(model, text, options)),
  );
program
  .command('dev')
  .description("Temporal server with its web UI and a worker, until Ctrl-C ('npm run dev')")
  .option('--steps <file>', STEPS_DESCRIPTION, collectStepFiles)
  .action(async (options) => end((await import('./commands/dev.ts')).dev(options)));

function collect(value: string, earlier: readonly string[] = []): readonly string[] {
  return [...earlier, value];
}

// `retune show ID | head` closes the pipe early: there is nothing more to say.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});

async function end(exitCode: Promise<number>): Promise<void> {
  process.exitCode = await exitCode;
}

void main();

async function main(): Promise<void> {
  process.once('beforeExit', onNothingLeft);
  try {
    await program.parseAsync();
  } catch (error) {
    process.exitCode = await fail(error);
  } finally {
    process.off('beforeExit', onNothingLeft);
    // A timer that a --steps file has set does not keep the command.
    process.stdout.write('', () => process.exit());
  }
}

/** Nothing goes on that could end what the command waits for. */
function onNothingLeft(): void {
  process.stderr.write(
    'error: the command waits for what never comes; does a --steps file await something without an end?\n',
  );
  process.exitCode = 2;
}

function isAnsweredInJson(args: readonly string[]): boolean {
  return args.some(
    (arg, i) =>
      arg === '--json' || arg === '--format=json' || (arg === '--format' && args[i + 1] === 'json'),
  );
}

async function fail(error: unknown): Promise<number> {
  const isUsage = error instanceof CommanderError;
  if (isUsage && error.exitCode === 0) return 0;
  if (isAnsweredInJson(process.argv)) {
    const type = error instanceof Failure ? error.type : 'Error';
    const message = error instanceof Error ? error.message : String(error);
    printJson({ error: { type, message: message.replace(/^error: /, '') } });
  }
  const code = isUsage ? 2 : (await import('./error-report.ts')).reportError(error);
  // Of these, 1 says that there are findings.
  const isCheck = ['check', 'graph'].includes(process.argv[2] ?? '');
  return isCheck && code === 1 ? 2 : code;
}
