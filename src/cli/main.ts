/** Runs in the CLI: the commands and their options. What a command does is loaded when it is called. */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { toReport, ZdsupError } from '../shared/errors.js';
import { VERSION } from '../shared/version.cjs';
import { printError } from './render/error.js';

const ROLLOUTS = [
  ['reload', 'bring in new code, config and env files without losing a request; waits until the old workers have gone'],
  [
    'restart',
    'as reload, for an app that cannot run beside itself: the old workers end first, connections wait meanwhile',
  ],
] as const;

/** Runs the command line and sets the exit status. */
export async function main(argv: string[]): Promise<void> {
  // Behind -- it is the app's own.
  const json = argv.slice(0, argv.includes('--') ? argv.indexOf('--') : undefined).includes('--json');
  // Whoever reads along may leave (| head): the work goes on, and the exit status still tells.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  try {
    const status = await run(argv);
    if (status !== undefined) process.exitCode = status;
  } catch (error) {
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
    else {
      if (!(error instanceof ZdsupError) && process.env.ZDSUP_DEBUG) console.error(error);
      const report = toReport(error);
      printError(report, { json });
      process.exitCode = report.exitStatus;
    }
  }
}

async function run(argv: string[]): Promise<number | undefined> {
  let status: number | undefined;
  const program = new Command('zdsup')
    .description('Zero-downtime process supervisor for Node.js: reloads that lose no request.')
    .version(VERSION, '-v, --version')
    .enablePositionalOptions()
    .showSuggestionAfterError(true)
    .configureOutput({ outputError() {} }) // Told as every other error is.
    .exitOverride(refuse('zdsup --help lists the commands'))
    .addHelpText('after', EXAMPLES);

  program
    .command('start')
    .description("run an app: a script, a config file, this folder's config file, or one that is remembered")
    .argument('[target]', 'script, config file, or the name of an app that ran before')
    .argument('[args...]', "the app's own arguments, after --")
    .option('--name <name>', "name of the app (default: package.json's, else the folder's)")
    .option('-i, --instances <n>', "number of workers, or 'max' for one a CPU", instances)
    .option('--cwd <folder>', 'working folder of the workers')
    .option('--env-file <file>', 'read variables from a file, again at each reload (repeatable)', collect)
    .option('--node-args <args>', 'arguments for Node itself, such as "--max-old-space-size=512"')
    .option('--only <name>', 'which app of a config with several')
    .option(
      '--ready <check>',
      "when a worker takes traffic: 'listening', 'message' (process.send('ready')), or a path such as /healthz",
    )
    .option('--drain-timeout <duration>', 'how long requests in flight may take, such as 30s')
    .option('-d, --daemon', 'run in the background; returns when the app serves')
    .option('--no-daemon', 'in the foreground, also what ran as a daemon before')
    .option('--or-reload', 'reload the app where it runs already')
    .addOption(new Option('--as-daemon').hideHelp())
    .addOption(
      new Option(
        '--log-format <format>',
        "format of zdsup's own log on stderr (default: pretty on a terminal, else json)",
      ).choices(['json', 'pretty']),
    )
    .option('--json', 'errors, and the result of --daemon, as JSON; in the foreground the log too')
    .action(async (target: string | undefined, args: string[], options) => {
      const { start } = await import('./commands/start.js');
      status = await start(target, args, options);
    });

  for (const [name, description] of ROLLOUTS)
    program
      .command(name)
      .description(description)
      .argument('[app]', "name of the app, or 'all'")
      .option('--allow-listeners', 'accept a release that opens other ports than the serving one')
      .option('--no-wait', `return as soon as the ${name} has begun`)
      .option('--json', 'print the result as JSON')
      .action(async (app: string | undefined, options: { allowListeners?: boolean; wait: boolean; json?: boolean }) => {
        const { rollOut } = await import('./commands/roll-out.js');
        status = await rollOut(name, app, {
          allowListeners: options.allowListeners === true,
          noWait: !options.wait,
          json: options.json === true,
        });
      });

  program
    .command('scale')
    .description('run another number of workers; stands until the number in the config is edited')
    .usage('[options] [app] <n|+n|-n>')
    .argument('[app-and-number...]', "name of the app, or 'all', and a number of workers, or by how many more or fewer")
    .option('--json', 'print the result as JSON')
    .allowUnknownOption() // -2 looks like one.
    .action(async (operands: string[], options: { json?: boolean }) => {
      const { scale } = await import('./commands/scale.js');
      status = await scale(operands, { json: options.json === true });
    });

  program
    .command('check')
    .description(
      'try the new code off the traffic, and say what a reload would change; exit 0 where it would be let in',
    )
    .argument('[app]', 'name of an app, a folder, a script or a config file (default: the app of this folder)')
    .option('--run <command>', 'a smoke test: a shell command, with ZDSUP_CHECK_URL (default: smoke of the config)')
    .option('--allow-listeners', 'accept other ports than those of the serving release')
    .option('--json', 'print the result as JSON')
    .action(async (app: string | undefined, options: { run?: string; allowListeners?: boolean; json?: boolean }) => {
      const { check } = await import('./commands/check.js');
      status = await check(app, {
        ...(options.run === undefined ? {} : { run: options.run }),
        allowListeners: options.allowListeners === true,
        json: options.json === true,
      });
    });

  program
    .command('stop')
    .description('end an app: requests in flight are answered first')
    .argument('[app]', "name of the app, or 'all'")
    .option('--json', 'print the result as JSON')
    .action(async (app: string | undefined, options: { json?: boolean }) => {
      const { stop } = await import('./commands/stop.js');
      status = await stop(app, { json: options.json === true });
    });

  program
    .command('status')
    .aliases(['list', 'ls'])
    .description('show what runs, and what has run and is remembered')
    .argument('[app]', 'name of the app (default: all of them)')
    .option('--json', 'print the snapshot as JSON')
    .action(async (app: string | undefined, options: { json?: boolean }) => {
      const { status: show } = await import('./commands/status.js');
      status = await show(app, { json: options.json === true });
    });

  program
    .command('logs')
    .description('show what a daemon and its workers have written')
    .argument('[app]', 'name of the app')
    .option('-f, --follow', 'go on showing what is written')
    .option('-n, --lines <n>', 'how many lines from the end', wholeNumber, 20)
    .option('--json', 'print each line as a JSON value')
    .action(async (app: string | undefined, options: { follow?: boolean; lines: number; json?: boolean }) => {
      const { logs } = await import('./commands/logs.js');
      status = await logs(app, { follow: options.follow === true, lines: options.lines, json: options.json === true });
    });

  program
    .command('describe')
    .alias('show') // As it is typed by those who come from PM2.
    .description('tell everything about an app: config in force, workers, last exits and rollouts')
    .argument('[app]', "name of the app, or 'all'")
    .option('--json', 'print it as JSON')
    .action(async (app: string | undefined, options: { json?: boolean }) => {
      const { describe } = await import('./commands/describe.js');
      status = await describe(app, { json: options.json === true });
    });

  program
    .command('delete')
    .description('forget an app that does not run, and its log')
    .argument('[app]', "name of the app, or 'all'")
    .option('--json', 'print the result as JSON')
    .action(async (app: string | undefined, options: { json?: boolean }) => {
      const { forget } = await import('./commands/delete.js');
      status = await forget(app, { json: options.json === true });
    });

  program
    .command('signal')
    .description('send a signal to the workers that listen for it')
    .usage('[options] [app] <signal>')
    .argument('<words...>', "name of the app, or 'all'; then a signal, such as USR2")
    .option('--json', 'print the result as JSON')
    .action(async (words: string[], options: { json?: boolean }) => {
      const { signal } = await import('./commands/signal.js');
      status = await signal(words, { json: options.json === true });
    });

  program
    .helpCommand(false)
    .command('help')
    .description('show the commands, or the options of one')
    .argument('[command]')
    .action((name: string | undefined) => help(program, name));

  for (const command of program.commands) command.exitOverride(refuse(`zdsup ${command.name()} --help`));
  await program.parseAsync(argv);
  return status;
}

function help(program: Command, name: string | undefined): void {
  const named = program.commands.find((command) => command.name() === name || command.aliases().includes(name ?? ''));
  if (named) named.outputHelp();
  else if (name === undefined) program.outputHelp();
  else program.parse([name], { from: 'user' }); // Refused as an unknown command is, with the nearest one.
}

function wholeNumber(value: string): number {
  if (!/^\d{1,9}$/.test(value)) throw new InvalidArgumentError('Allowed is a whole number from 0.');
  return Number(value);
}

/** The schema judges numbers; here only what is no number at all. */
function instances(value: string): number | string {
  if (value === 'max') return value;
  if (!/^[-+]?\d+(\.\d+)?$/.test(value)) throw new InvalidArgumentError("Allowed are a whole number from 1 and 'max'.");
  return Number(value);
}

/** What is wrong with the command line, in commander's words. Help and version are no error and pass. */
const refuse =
  (help: string) =>
  (error: CommanderError): never => {
    if (error.exitCode === 0 || error.code === 'commander.help') throw error;
    const [message, suggestion] = error.message.replace(/^error: /, '').split('\n') as [string, string?];
    throw new ZdsupError({
      code: 'ZDSUP_USAGE',
      message,
      hint: suggestion === undefined ? help : `${suggestion.slice(1, -1)} ${help}`,
      exitStatus: 2,
    });
  };

const collect = (value: string, before: string[] | undefined): string[] => [...(before ?? []), value];

const EXAMPLES = `
Examples:
  zdsup start app.js -i 4           run app.js with 4 workers, in the foreground
  zdsup start app.js -- --port 80   what comes after -- is the app's
  zdsup start                       as zdsup.config.js in this folder says
  zdsup start app.js --daemon       in the background; zdsup logs shows what it writes
  zdsup reload                      new code, no request lost; exit 1 and nothing changed where it is bad
  zdsup scale 4                     four workers; +1 and -1 are one more and one fewer
  zdsup status                      workers, traffic, CPU and memory
  zdsup stop                        answer what is in flight, then end

Exit status: 0 done, 1 failed, 2 wrong usage or bad config, 3 not running, 4 refused: it runs, or another rollout is under way.`;
