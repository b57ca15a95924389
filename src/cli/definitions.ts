/** Runs in the CLI. The commands, their operands and options. What a command does is loaded when it is called. */
import type { Command } from 'commander';
import { InvalidArgumentError, Option } from 'commander';
import type { CheckCommandOptions } from './commands/check.js';
import type { SystemdOptions } from './commands/systemd.js';

/** Gives a command its operands and options. `settle` is told the exit status, once it is done. */
type Define = (command: Command, settle: (status: number | undefined) => void) => void;

const start: Define = (command, settle) =>
  command
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
    .option('--watch', "reload when a file of the app's folder changes (see watch and watchIgnore of the config)")
    .option('--no-watch', 'watch no files, whatever the config says, and also where the app was started with --watch')
    .option(
      '--http <port>',
      'metrics, health and the dashboard on this port of 127.0.0.1 (see http of the config)',
      port,
    )
    .option('-d, --daemon', 'run in the background; returns when the app serves')
    .option('--no-daemon', 'in the foreground, also what ran as a daemon before')
    .option('--or-reload', 'reload the app where it runs already')
    .option('--in-place', 'of an app that was deployed: run its folder as it is, not the last good release')
    .addOption(new Option('--as-daemon').hideHelp())
    .addOption(new Option('--for-caller').hideHelp())
    .addOption(new Option('--as-unit <app>').hideHelp())
    .addOption(
      new Option(
        '--log-format <format>',
        "format of zdsup's own log on stderr (default: pretty on a terminal, else json)",
      ).choices(['json', 'pretty']),
    )
    .option('--json', 'errors, and the result of --daemon, as JSON; in the foreground the log too')
    .action(async (target: string | undefined, args: string[], options) => {
      const { start } = await import('./commands/start.js');
      settle(await start(target, args, options));
    });

const rollOut =
  (name: 'reload' | 'restart', description: string): Define =>
  (command, settle) => {
    command.description(description).argument('[app]', "name of the app, or 'all'");
    if (name === 'reload')
      command
        .option('--weight <n>', 'hold where the new workers get n percent of the traffic: 1 to 99', heldWeight)
        .option('--no-canary', 'take all the traffic at once, whatever canary the config has')
        .option('--worker <n>', 'replace the worker of slot n alone, by a new one of the same release', wholeNumber);
    command
      .option('--allow-listeners', 'accept a release that opens other ports than the serving one')
      .option('--no-wait', `return as soon as the ${name} has begun`)
      .option('--json', 'print the result as JSON')
      .action(async (app: string | undefined, options: RollOutOptions) => {
        const { rollOut } = await import('./commands/roll-out.js');
        settle(
          await rollOut(name, app, {
            allowListeners: options.allowListeners === true,
            noWait: !options.wait,
            noCanary: options.canary === false,
            weight: options.weight,
            worker: options.worker,
            json: options.json === true,
          }),
        );
      });
  };

interface RollOutOptions {
  allowListeners?: boolean;
  wait: boolean;
  weight?: number;
  worker?: number;
  canary?: boolean;
  json?: boolean;
}

const deploy: Define = (command, settle) =>
  command
    .description("take a release of the app's folder into the store, and bring it in as reload does")
    .argument('[app]', 'name of the app (default: the app of this folder)')
    .argument('[folder]', 'the folder to take (default: the one that the app was started from)')
    .option('--message <text>', 'what zdsup releases shows beside the commit')
    .option('--weight <n>', 'hold where the new workers get n percent of the traffic: 1 to 99', heldWeight)
    .option('--no-canary', 'take all the traffic at once, whatever canary the config has')
    .option('--allow-listeners', 'accept a release that opens other ports than the serving one')
    .option('--no-wait', 'return as soon as the release is stored and its rollout has begun')
    .option('--json', 'print the result as JSON')
    .action(
      async (app: string | undefined, folder: string | undefined, options: RollOutOptions & { message?: string }) => {
        const { deploy } = await import('./commands/deploy.js');
        settle(
          await deploy(app, folder, {
            message: options.message ?? null,
            allowListeners: options.allowListeners === true,
            noWait: !options.wait,
            noCanary: options.canary === false,
            weight: options.weight,
            json: options.json === true,
          }),
        );
      },
    );

const releases: Define = (command, settle) =>
  command
    .description('list the releases that are stored of an app, newest first')
    .argument('[app]', 'name of the app')
    .option('--verify', 'read every file of every release, and say which are not as they were stored')
    .option('--json', 'print them as JSON')
    .action(async (app: string | undefined, options: { verify?: boolean; json?: boolean }) => {
      const { releases } = await import('./commands/releases.js');
      settle(await releases(app, { verify: options.verify === true, json: options.json === true }));
    });

const canary: Define = (command, settle) =>
  command
    .description('give the new workers of a held reload another part of the traffic: 0 to 100 percent; 100 promotes')
    .usage('[options] [app] <weight>')
    .argument('[app-and-weight...]', "name of the app, or 'all', and a whole number from 0 to 100")
    .option('--json', 'print the result as JSON')
    .allowUnknownOption() // -5 looks like one.
    .action(async (operands: string[], options: { json?: boolean }) => {
      const { canary } = await import('./commands/canary.js');
      settle(await canary(operands, { json: options.json === true }));
    });

const intervene =
  (name: 'promote' | 'pause' | 'abort' | 'rollback', description: string): Define =>
  (command, settle) => {
    command.description(description).argument('[app]', "name of the app, or 'all'");
    if (name === 'promote') command.option('--full', 'past all steps that are left: it takes all the traffic');
    if (name === 'rollback')
      command.option('--to <release>', 'a release of the store: its id, or how it begins (see zdsup releases)');
    command
      .option('--json', 'print the result as JSON')
      .action(async (app: string | undefined, options: { full?: boolean; to?: string; json?: boolean }) => {
        const { intervene } = await import('./commands/intervene.js');
        const { full = false, to, json = false } = options;
        settle(await intervene(name, app, { json, full, to }));
      });
  };

const scale: Define = (command, settle) =>
  command
    .description('run another number of workers; stands until the number in the config is edited')
    .usage('[options] [app] <n|+n|-n>')
    .argument('[app-and-number...]', "name of the app, or 'all', and a number of workers, or by how many more or fewer")
    .option('--json', 'print the result as JSON')
    .allowUnknownOption() // -2 looks like one.
    .action(async (operands: string[], options: { json?: boolean }) => {
      const { scale } = await import('./commands/scale.js');
      settle(await scale(operands, { json: options.json === true }));
    });

const check: Define = (command, settle) =>
  command
    .description(
      'try the new code off the traffic, and say what a reload would change; exit 0 where it would be let in',
    )
    .argument('[app]', 'name of an app, a folder, a script or a config file (default: the app of this folder)')
    .option('--only <name>', 'which app of a config with several')
    .option('--run <command>', 'a smoke test: a shell command, with ZDSUP_CHECK_URL (default: smoke of the config)')
    .option('--allow-listeners', 'accept other ports than those of the serving release')
    .option('--json', 'print the result as JSON')
    .action(async (app: string | undefined, options: Partial<CheckCommandOptions>) => {
      const { check } = await import('./commands/check.js');
      settle(
        await check(app, { ...options, allowListeners: options.allowListeners === true, json: options.json === true }),
      );
    });

const stop: Define = (command, settle) =>
  command
    .description('end an app: requests in flight are answered first')
    .argument('[app]', "name of the app, or 'all'")
    .option('--json', 'print the result as JSON')
    .action(async (app: string | undefined, options: { json?: boolean }) => {
      const { stop } = await import('./commands/stop.js');
      settle(await stop(app, { json: options.json === true }));
    });

const status: Define = (command, settle) =>
  command
    .description('show what runs, and what has run and is remembered')
    .argument('[app]', 'name of the app (default: all of them)')
    .option('-w, --watch', 'show it again and again, in place on a terminal, with figures; q ends it')
    .option('--json', 'print the snapshot as JSON; with --watch one each second, a line each')
    .action(async (app: string | undefined, options: { watch?: boolean; json?: boolean }) => {
      const json = options.json === true;
      if (options.watch) {
        const { watchStatus } = await import('./commands/watch-status.js');
        settle(await watchStatus(app, { json }));
        return;
      }
      const { status } = await import('./commands/status.js');
      settle(await status(app, { json }));
    });

const logs: Define = (command, settle) =>
  command
    .description('show what an app has written, where that is kept; with --events, what has befallen it')
    .argument('[app]', 'name of the app')
    .option('-f, --follow', 'go on showing what is written')
    .option('-n, --lines <n>', 'how many lines from the end (default: 20, with --since all)', wholeNumber)
    .option('--worker <n>', 'only what the worker in this slot has written', wholeNumber)
    .option('--generation <n>', 'only what the workers of this generation have written', wholeNumber)
    .option('--since <when>', 'only what was written since then: 10m, or an instant such as 2026-11-26T09:00:00Z')
    .option('--grep <pattern>', 'only lines that match this regular expression')
    .option('--events', 'the journal in place of the log: rollouts, crashes, scales, starts and stops')
    .option('--json', 'print each line as a JSON value')
    .action(async (app: string | undefined, options: LogsOptions) => {
      const { logs } = await import('./commands/logs.js');
      const { follow, json, events } = options;
      settle(await logs(app, { ...options, follow: follow === true, json: json === true, events: events === true }));
    });

interface LogsOptions {
  follow?: boolean;
  lines?: number;
  worker?: number;
  generation?: number;
  since?: string;
  grep?: string;
  events?: boolean;
  json?: boolean;
}

const history: Define = (command, settle) =>
  command
    .description('show the rollouts of an app, also of one that is stopped; with an id, that one step by step')
    .usage('[options] [app] [id]')
    .argument('[app-and-id...]', "name of the app, or 'all', and the id of a rollout")
    .option('-n, --lines <n>', 'how many rollouts', wholeNumber, 20)
    .option('--json', 'print it as JSON')
    .action(async (operands: string[], options: { lines: number; json?: boolean }) => {
      const { history } = await import('./commands/history.js');
      settle(await history(operands, { count: options.lines, json: options.json === true }));
    });

const describe: Define = (command, settle) =>
  command
    .description('tell everything about an app: config in force, workers, last exits and rollouts')
    .argument('[app]', "name of the app, or 'all'")
    .option('--json', 'print it as JSON')
    .action(async (app: string | undefined, options: { json?: boolean }) => {
      const { describe } = await import('./commands/describe.js');
      settle(await describe(app, { json: options.json === true }));
    });

const dashboard: Define = (command, settle) =>
  command
    .description('print the link to the page of an app, with its token')
    .argument('[app]', "name of the app, or 'all'")
    .option('--json', 'print it as JSON')
    .action(async (app: string | undefined, options: { json?: boolean }) => {
      const { dashboard } = await import('./commands/dashboard.js');
      settle(await dashboard(app, { json: options.json === true }));
    });

const resurrect: Define = (command, settle) =>
  command
    .description('start again, as daemons, the apps that ran when their masters or the host died (for @reboot of cron)')
    .option('--print-crontab', 'print the line for crontab -e, with the full paths, and do nothing else')
    .option('--json', 'print the results as JSON')
    .action(async (options: { printCrontab?: boolean; json?: boolean }) => {
      const { resurrect } = await import('./commands/resurrect.js');
      settle(await resurrect({ printCrontab: options.printCrontab === true, json: options.json === true }));
    });

const forget: Define = (command, settle) =>
  command
    .description('forget an app that does not run, its log, its journal and its releases')
    .argument('[app]', "name of the app, or 'all'")
    .option('--json', 'print the result as JSON')
    .action(async (app: string | undefined, options: { json?: boolean }) => {
      const { forget } = await import('./commands/delete.js');
      settle(await forget(app, { json: options.json === true }));
    });

const signal: Define = (command, settle) =>
  command
    .description('send a signal to the workers that listen for it')
    .usage('[options] [app] <signal>')
    .argument('<words...>', "name of the app, or 'all'; then a signal, such as USR2")
    .option('--json', 'print the result as JSON')
    .action(async (words: string[], options: { json?: boolean }) => {
      const { signal } = await import('./commands/signal.js');
      settle(await signal(words, { json: options.json === true }));
    });

const systemd: Define = (command, settle) => {
  const verbs = {
    print: 'show the unit of an app: hardened, each setting with its reason',
    install: 'write the unit, and have systemd read it; says what to do next',
    uninstall: 'stop the unit, and take it away',
  };
  command.description('run an app as a systemd service: print, install or uninstall its unit');
  for (const [verb, description] of Object.entries(verbs) as [keyof typeof verbs, string][]) {
    const sub = command
      .command(verb)
      .description(description)
      .argument('[app]', 'name of an app, a script or a config file (default: the app of this folder)')
      .option('--user', "of this user's systemd, not of the system's")
      .option('--only <name>', 'which app of a config with several')
      .option('--json', 'print the result as JSON');
    if (verb === 'uninstall') sub.option('--force', 'also a unit that was edited by hand');
    else
      sub
        .argument('[args...]', "the app's own arguments, after --")
        .option('--name <name>', "name of the app (default: the config's, package.json's, or the folder's)")
        .option(
          '--run-as <user>',
          "user that the app runs as (default: the owner of its files; where that is root, one of the unit's own)",
        )
        .option(
          '--socket [address...]',
          'systemd holds the sockets: ports, addresses or paths (default: those of the app, where it runs)',
        );
    if (verb === 'install') sub.option('--force', 'overwrite a unit that was edited by hand');
    sub.action(async (app: string | undefined, ...rest: unknown[]) => {
      const args = Array.isArray(rest[0]) ? (rest[0] as string[]) : [];
      const options = rest.at(-2) as Partial<SystemdOptions>;
      const { systemd } = await import('./commands/systemd.js');
      const { user = false, socket = false, force = false, json = false } = options;
      settle(await systemd(verb, app, args, { ...options, user, socket, force, json }));
    });
  }
};

function wholeNumber(value: string): number {
  if (!/^\d{1,9}$/.test(value)) throw new InvalidArgumentError('Allowed is a whole number from 0.');
  return Number(value);
}

function port(value: string): number {
  if (/^\d{1,5}$/.test(value) && Number(value) >= 1 && Number(value) <= 65_535) return Number(value);
  throw new InvalidArgumentError('Allowed is a port from 1 to 65535.');
}

function heldWeight(value: string): number {
  if (/^[1-9]\d?$/.test(value)) return Number(value);
  throw new InvalidArgumentError(
    'Allowed is a whole number from 1 to 99: the part of the traffic, in percent, that it is held at.',
  );
}

/** The schema judges numbers; here only what is no number at all. */
function instances(value: string): number | string {
  if (value === 'max') return value;
  if (!/^[-+]?\d+(\.\d+)?$/.test(value)) throw new InvalidArgumentError("Allowed are a whole number from 1 and 'max'.");
  return Number(value);
}

const collect = (value: string, before: string[] | undefined): string[] => [...(before ?? []), value];

/** In the order of the help: name, then aliases. */
export const COMMANDS: { names: [string, ...string[]]; define: Define }[] = [
  { names: ['start'], define: start },
  {
    names: ['reload'],
    define: rollOut(
      'reload',
      'bring in new code, config and env files without losing a request; waits until the old workers have gone',
    ),
  },
  {
    names: ['restart'],
    define: rollOut(
      'restart',
      'as reload, for an app that cannot run beside itself: the old workers end first, connections wait meanwhile',
    ),
  },
  { names: ['deploy'], define: deploy },
  { names: ['releases'], define: releases },
  { names: ['canary'], define: canary },
  {
    names: ['promote'],
    define: intervene('promote', 'go on with a canary: to its next step, and after the last one to all the traffic'),
  },
  { names: ['pause'], define: intervene('pause', 'have the steps of a canary wait where they are, until a promote') },
  {
    names: ['rollback'],
    define: intervene('rollback', 'go back to what was good before; of a reload under way, give it up'),
  },
  { names: ['abort'], define: intervene('abort', 'give up the reload under way: the old workers go on serving') },
  { names: ['scale'], define: scale },
  { names: ['check'], define: check },
  { names: ['stop'], define: stop },
  { names: ['status', 'list', 'ls'], define: status },
  { names: ['logs'], define: logs },
  { names: ['history'], define: history },
  { names: ['describe', 'show'], define: describe }, // `show` as it is typed by those who come from PM2.
  { names: ['dashboard'], define: dashboard },
  { names: ['resurrect'], define: resurrect },
  { names: ['delete'], define: forget },
  { names: ['signal'], define: signal },
  { names: ['systemd'], define: systemd },
];
