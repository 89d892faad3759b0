import type { Command } from 'commander';

interface Helpers {
  readonly end: (code: Promise<number>) => Promise<void>;
}

/** Commands for those who run a Temporal server for Retune. */
export function addServerCommands(program: Command, { end }: Helpers): void {
  program
    .command('setup')
    .description(
      "register the search attributes of runs with the server, by which Temporal's tools filter",
    )
    .option('--json', 'as JSON')
    .action(async (options) => end((await import('./commands/setup.ts')).setup(options)));
  program
    .command('codec-server')
    .description("decrypt for the Temporal CLI's --codec-endpoint and the web UI, until Ctrl-C")
    .option('--port <port>', 'on this machine alone', '8081')
    .option('--allow-origin <url>', 'of the web UI, such as http://localhost:8233')
    .action(async (options) =>
      end((await import('./commands/codec-server.ts')).codecServer(options)),
    );
}
