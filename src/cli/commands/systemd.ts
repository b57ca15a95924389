/** Runs in the CLI. `zdsup systemd print|install|uninstall`: the unit of an app, shown, written for systemd, or taken away. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { deriveAppName, isAppName } from '../../shared/app-name.js';
import type { ErrorCode } from '../../shared/errors.js';
import { ZdsupError } from '../../shared/errors.js';
import { renderService, renderSocket, serviceName, socketName } from '../render/unit.js';
import { differences, findUnit, sealed, writeUnit } from '../unit-files.js';
import type { UnitCommandOptions } from './unit-target.js';
import { systemdRuns, unitFolder, unitFor } from './unit-target.js';

export interface SystemdOptions extends UnitCommandOptions {
  force: boolean;
  json: boolean;
}

interface Unit {
  name: string;
  path: string;
  text: string;
}

const run = promisify(execFile);

export async function systemd(
  verb: 'print' | 'install' | 'uninstall',
  target: string | undefined,
  args: string[],
  options: SystemdOptions,
): Promise<number> {
  if (verb === 'print') return print(target, args, options);
  refuseWithoutSystemd(verb, target, options);
  return verb === 'install' ? install(target, args, options) : uninstall(target, options);
}

async function unitsOf(
  target: string | undefined,
  args: string[],
  options: SystemdOptions,
): Promise<{ app: string; units: Unit[] }> {
  const wanted = await unitFor(target, args, options);
  const unit = (name: string, text: string): Unit => ({
    name,
    path: join(unitFolder(options.user), name),
    text: sealed(text),
  });
  return {
    app: wanted.app,
    units: [
      unit(serviceName(wanted.app), renderService(wanted)),
      ...(wanted.sockets.length > 0 ? [unit(socketName(wanted.app), renderSocket(wanted))] : []),
    ],
  };
}

async function print(target: string | undefined, args: string[], options: SystemdOptions): Promise<number> {
  const { app, units } = await unitsOf(target, args, options);
  if (options.json) tellJson({ command: 'print', app, units });
  // One alone is a file as it is; of two it must be seen where the second begins.
  else
    process.stdout.write(
      units.length === 1 ? units[0]!.text : units.map(({ path, text }) => `# ${path}\n${text}`).join('\n'),
    );
  return 0;
}

async function install(target: string | undefined, args: string[], options: SystemdOptions): Promise<number> {
  const { app, units } = await unitsOf(target, args, options);
  // All of them are judged before the first is written.
  const changed = units.filter((unit) => isChanged(unit, options.force));
  for (const { path, text } of changed) write(path, text);
  await systemctl(options.user, 'daemon-reload');
  const startable =
    units.at(-1)!.name === socketName(app) ? `${socketName(app)} ${serviceName(app)}` : serviceName(app);
  const isActive = await systemctl(options.user, 'is-active', serviceName(app)).then(
    () => true,
    () => false,
  );
  const command = `systemctl ${options.user ? '--user ' : ''}`;
  const next = isActive ? [`${command}restart ${serviceName(app)}`] : [`${command}enable --now ${startable}`];
  const written = changed.map(({ path }) => path);
  if (options.json) {
    tellJson({ command: 'install', app, units: units.map(({ name, path }) => ({ name, path })), written, next });
    return 0;
  }
  for (const { path } of units)
    process.stdout.write(`${app}: ${written.includes(path) ? 'wrote' : 'is up to date:'} ${path}\n`);
  const why = isActive ? 'it runs; what has changed counts from its next start on' : 'start it, now and at each boot';
  process.stdout.write(`${why}:\n${next.map((line) => `  ${line}\n`).join('')}`);
  if (!isActive)
    process.stdout.write(`then:\n  ${command}reload ${serviceName(app)}   new code; fails where it is bad\n`);
  if (options.user)
    process.stdout.write('it ends with your session, unless you say otherwise:\n  loginctl enable-linger\n');
  return 0;
}

/** @throws ZdsupError ZDSUP_UNIT_FOREIGN where somebody else's work would be lost */
function isChanged({ path, text }: Unit, force: boolean): boolean {
  const found = findUnit(path);
  if (found.kind === 'none') return true;
  if (found.text === text) return false;
  if (found.kind === 'ours' || force) return true;
  throw failed(
    'ZDSUP_UNIT_FOREIGN',
    found.kind === 'edited'
      ? `${path} was edited by hand, and would be overwritten:\n${differences(found.text, text).join('\n')}`
      : `${path} was not written by zdsup, and would be overwritten`,
    'put edits into a drop-in (systemctl edit), which stays; --force overwrites the file',
  );
}

function write(path: string, text: string): void {
  try {
    writeUnit(path, text);
  } catch (error) {
    throw failed(
      'ZDSUP_UNIT_UNWRITABLE',
      `cannot write ${path}: ${(error as Error).message}`,
      'zdsup systemd print shows it; write it yourself',
    );
  }
}

async function uninstall(target: string | undefined, options: SystemdOptions): Promise<number> {
  const app = await appMeant(target, options);
  const folder = unitFolder(options.user);
  const all = [socketName(app), serviceName(app)].map((name) => ({ name, path: join(folder, name) }));
  const there = all
    .map((unit) => ({ ...unit, found: findUnit(unit.path) }))
    .filter(({ found }) => found.kind !== 'none');
  if (there.length === 0)
    throw failed(
      'ZDSUP_UNIT_MISSING',
      `there is no unit of ${app}: ${all.at(-1)!.path}`,
      otherScope(app, options.user),
      3,
    );
  for (const { path, found } of there) {
    if (found.kind === 'foreign')
      throw failed(
        'ZDSUP_UNIT_FOREIGN',
        `${path} was not written by zdsup: it stays`,
        'remove it yourself, where you mean it',
      );
    if (found.kind === 'edited' && !options.force)
      throw failed(
        'ZDSUP_UNIT_FOREIGN',
        `${path} was edited by hand, and would be lost`,
        'keep a copy, and give --force',
      );
  }
  // The socket first: a client that comes meanwhile would start the service again.
  const { rmSync } = await import('node:fs');
  await systemctl(options.user, 'disable', '--now', ...there.map(({ name }) => name));
  for (const { path } of there) rmSync(path, { force: true });
  await systemctl(options.user, 'daemon-reload');
  const removed = there.map(({ path }) => path);
  if (options.json) tellJson({ command: 'uninstall', app, removed });
  else
    process.stdout.write(
      `${app}: stopped, and removed ${removed.join(' and ')}\nits journal and releases stay: zdsup delete ${app} forgets them\n`,
    );
  return 0;
}

/** By name the app may be gone, with its folder and all; only its unit is left. */
async function appMeant(target: string | undefined, options: SystemdOptions): Promise<string> {
  if (target !== undefined && isAppName(target) && unitExists(target, options.user)) return target;
  if (target !== undefined && isAppName(deriveAppName(target)) && !target.includes('/') && !target.includes('.'))
    return target;
  return (await unitFor(target, [], { ...options, socket: false })).app;
}

const unitExists = (app: string, user: boolean): boolean =>
  findUnit(join(unitFolder(user), serviceName(app))).kind !== 'none';

const otherScope = (app: string, user: boolean): string =>
  unitExists(app, !user)
    ? `it is a ${user ? 'system' : 'user'} unit: zdsup systemd uninstall ${app}${user ? '' : ' --user'}`
    : `zdsup systemd install ${app} writes one`;

function refuseWithoutSystemd(verb: string, target: string | undefined, { user }: SystemdOptions): void {
  const words = `zdsup systemd ${verb}${target === undefined ? '' : ` ${target}`}`;
  if (!systemdRuns())
    throw failed(
      'ZDSUP_SYSTEMD_MISSING',
      'systemd does not run here (there is no /run/systemd/system)',
      'zdsup systemd print shows the unit, for another host; zdsup start --daemon runs an app without systemd',
    );
  if (!user && process.geteuid?.() !== 0)
    throw failed(
      'ZDSUP_SYSTEMD_REFUSED',
      'a unit of the system is for root to write',
      `sudo ${words}, or ${words} --user for one of your own`,
    );
}

/** @throws ZdsupError ZDSUP_SYSTEMD_FAILED with its own words */
async function systemctl(user: boolean, ...args: string[]): Promise<void> {
  try {
    await run('systemctl', [...(user ? ['--user'] : []), ...args]);
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string };
    throw failed(
      'ZDSUP_SYSTEMD_FAILED',
      `systemctl ${args.join(' ')} failed: ${(stderr?.trim() || message).split('\n').join('; ')}`,
      user ? 'is a session of yours there? loginctl enable-linger makes one' : 'look at it: systemctl status',
    );
  }
}

const failed = (code: ErrorCode, message: string, hint: string, exitStatus: 1 | 3 = 1): ZdsupError =>
  new ZdsupError({ code, message, hint, exitStatus });

const tellJson = (result: object): void =>
  void process.stdout.write(`${JSON.stringify({ type: 'result', ok: true, exitStatus: 0, ...result }, null, 2)}\n`);
