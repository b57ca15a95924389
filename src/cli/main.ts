/** Runs in the CLI: reads the command line, and has the command that it names done. */
import { resolve } from 'node:path';
import { Command, CommanderError } from 'commander';
import type { ErrorReport } from '../shared/errors.js';
import { isZdsupError, toReport, ZdsupError } from '../shared/errors.js';
import { VERSION } from '../shared/version.cjs';
import { COMMANDS } from './definitions.js';
import { printError } from './render/error.js';

/** Runs the command line and sets the exit status. */
export async function main(argv: string[]): Promise<void> {
  // Behind -- it is the app's own.
  const json = argv.slice(0, argv.includes('--') ? argv.indexOf('--') : undefined).includes('--json');
  // Whoever reads along may leave (| head): the work goes on, and the exit status still tells.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  try {
    // A master moves to /, where a relative path means another folder.
    if (process.env.ZDSUP_HOME) process.env.ZDSUP_HOME = resolve(process.env.ZDSUP_HOME);
    const status = await run(argv);
    if (status !== undefined) process.exitCode = status;
  } catch (error) {
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
    else {
      if (!isZdsupError(error) && process.env.ZDSUP_DEBUG) console.error(error);
      const report = isFolderGone(error) ? FOLDER_GONE : toReport(error);
      printError(report, { json });
      process.exitCode = report.exitStatus;
    }
  }
}

/** Of a shell that stands in a release that was deleted since. */
const FOLDER_GONE: ErrorReport = {
  code: 'ZDSUP_CWD_MISSING',
  message: 'the current folder has been deleted',
  hint: 'change to one that is there: cd /',
  exitStatus: 2,
};

const isFolderGone = (error: unknown): boolean =>
  error instanceof Error && 'syscall' in error && error.syscall === 'uv_cwd';

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

  // Those that are not called cost a `zdsup status` 4 of the 40 ms that it takes beside Node itself.
  const called = COMMANDS.filter(({ names }) => names.includes(argv[2] ?? ''));
  for (const { names, define } of called.length > 0 ? called : COMMANDS) {
    const [name, ...aliases] = names;
    define(program.command(name).aliases(aliases), (exitStatus) => {
      status = exitStatus;
    });
  }
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

const ABORT = 'zdsup abort gives up the reload under way: the old workers go on serving';
const ROLLBACK = 'zdsup rollback goes back to what was good before; of a reload under way, it is zdsup abort';
/** What other tools, and people in a hurry, call it. By its letters `cancel` would be taken for `canary`. */
const OTHER_WORDS = new Map([
  ['cancel', ABORT],
  ...['undo', 'revert'].map((word): [string, string] => [word, ROLLBACK]),
]);

/** What is wrong with the command line, in commander's words. Help and version are no error and pass. */
const refuse =
  (help: string) =>
  (error: CommanderError): never => {
    if (error.exitCode === 0 || error.code === 'commander.help') throw error;
    const meant =
      error.code === 'commander.unknownCommand' ? OTHER_WORDS.get(/'(.*?)'/.exec(error.message)?.[1] ?? '') : undefined;
    const [message, suggestion] = error.message.replace(/^error: /, '').split('\n') as [string, string?];
    throw new ZdsupError({
      code: 'ZDSUP_USAGE',
      message,
      hint: meant ?? (suggestion === undefined ? help : `${suggestion.slice(1, -1)} ${help}`),
      exitStatus: 2,
    });
  };

const EXAMPLES = `
Examples:
  zdsup start app.js -i 4           run app.js with 4 workers, in the foreground
  zdsup start app.js -- --port 80   what comes after -- is the app's
  zdsup start                       as zdsup.config.js in this folder says
  zdsup start app.js --daemon       in the background; zdsup logs shows what it writes
  zdsup reload                      new code, no request lost; exit 1 and nothing changed where it is bad
  zdsup reload --weight 5           new code for 5 percent of the traffic; then zdsup canary 50, promote, or abort
  zdsup scale 4                     four workers; +1 and -1 are one more and one fewer
  zdsup status                      workers, traffic, CPU and memory
  zdsup stop                        answer what is in flight, then end

Exit status: 0 done, 1 failed, 2 wrong usage or bad config, 3 not running, 4 refused: it runs, or another rollout is under way.`;
