/** Runs in the CLI. What the unit of an app is to be: from what is known of it, its config, its folder and who owns it, this Node and this zdsup. */
import { execFileSync } from 'node:child_process';
import type { Stats } from 'node:fs';
import { existsSync, realpathSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, resolve } from 'node:path';
import { askDescription } from '../../client/control-client.js';
import { knownApps } from '../../client/known-apps.js';
import type { StartRequest } from '../../shared/app-record.js';
import type { LogConfig } from '../../shared/config.js';
import { ZdsupError } from '../../shared/errors.js';
import { VERSION } from '../../shared/version.cjs';
import type { RunsAs, UnitOptions } from '../render/unit.js';
import { pathAlone } from '../render/unit-values.js';
import { wantedFor } from './check-target.js';

export interface UnitCommandOptions {
  user: boolean;
  /** Addresses; `true`: those that the running app has. */
  socket: string[] | boolean;
  name?: string;
  only?: string;
  runAs?: string;
}

/** systemd itself looks there. */
const USUAL_PATH = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
/** A systemd that cannot be asked is taken for the oldest one that is tested. */
const OLDEST = 252;
/** Beyond the deadlines of the app: the master's own last moments, in ms. */
const LAST_MOMENTS_MS = 5_000;

const usage = (message: string, hint: string): ZdsupError =>
  new ZdsupError({ code: 'ZDSUP_USAGE', message, hint, exitStatus: 2 });

export async function unitFor(
  target: string | undefined,
  args: string[],
  options: UnitCommandOptions,
): Promise<UnitOptions> {
  const { app: known, request: found } = await wantedFor(target, options.only, 'systemd install');
  const request = withFlags(found, args, options, known);
  const folder = request.configPath === undefined ? request.baseDir : dirname(request.configPath);
  const owner = options.user ? null : ownerFor(options.runAs, request.configPath ?? folder);
  const node = process.execPath;
  const zdsup = realpathSync(process.argv[1]!);
  if (owner !== null) refuseHidden([node, zdsup].map(realOf), owner); // The config is read by them, as that user.
  const { readPlan } = await import('../../master/plan.js');
  const plan = await readPlan({ version: VERSION, ...request }, process.env, { reader: owner ?? undefined });
  const app = plan.appName;
  const { config } = plan;
  const sockets = await socketsFor(app, options.socket);
  const dropsPrivileges = !options.user && 'user' in config && config.user !== undefined && config.user !== null;
  const runsAs = runsAsFor(options.user, dropsPrivileges, owner);
  const paths = [folder, plan.cwd, plan.entry, node, zdsup].map(realOf);
  if (!options.user && !dropsPrivileges) refuseHidden(paths, owner);
  for (const path of [request.baseDir, node, zdsup])
    if (pathAlone(path) === null)
      throw usage(`no unit can name the path ${JSON.stringify(path)}`, 'give the folder another name');
  const nodeFolder = dirname(node);
  return {
    app,
    systemdVersion: systemdVersion(),
    runsAs,
    dropsPrivileges,
    node,
    zdsup,
    folder: request.baseDir,
    startArgs: startArgsOf(request, app),
    extraPath: USUAL_PATH.includes(nodeFolder) ? null : nodeFolder,
    inHome: paths.some((path) => isBelow(path, HOMES)),
    inTmp: paths.some((path) => isBelow(path, ['/tmp', '/var/tmp'])),
    writable: runsAs.kind === 'user' && runsAs.name !== 'root' ? [...new Set([folder, plan.cwd])] : [],
    logFolders: logFoldersOf(config.log),
    stopMs: Math.max(config.stopTimeoutMs, config.drainTimeoutMs + config.killTimeoutMs) + LAST_MOMENTS_MS,
    sockets,
    notifySocket: `${options.user ? runtimeFolder() : '/run'}/systemd/notify`,
  };
}

const logFoldersOf = (log: LogConfig | null): string[] => [
  ...new Set([log?.out, log?.error].flatMap((file) => (file ? [dirname(file)] : []))),
];

function withFlags(
  request: StartRequest,
  args: string[],
  { name, only }: UnitCommandOptions,
  known: string | null,
): StartRequest {
  if (known !== null && name !== undefined && name !== known)
    throw usage(
      `${known} keeps its name: --name ${name} is for a second app`,
      `name its script or config: zdsup systemd install app.js --name ${name}`,
    );
  return {
    ...request,
    ...(only === undefined ? {} : { only }),
    overrides: {
      ...request.overrides,
      ...(name === undefined ? {} : { name }),
      ...(args.length > 0 ? { args } : {}),
    },
  };
}

/** As a person would have typed it. Whatever was given to the start of an app that is known is given to that of its unit. */
export function startArgsOf({ configPath, only, overrides }: StartRequest, app: string): string[] {
  const { script, name, instances, nodeArgs, drainTimeout, cwd, envFile, ready, args } = overrides as {
    script?: string;
    name?: string;
    instances?: number | string;
    nodeArgs?: string;
    drainTimeout?: string;
    cwd?: string;
    envFile?: string[];
    ready?: string | { path: string };
    args?: string[];
  };
  const flag = (option: string, value: unknown): string[] => (value === undefined ? [] : [option, String(value)]);
  return [
    ...[configPath ?? String(script), '--as-unit', app],
    ...flag('--only', only),
    ...flag('--name', name),
    ...flag('--instances', instances),
    ...flag('--cwd', cwd),
    ...(envFile ?? []).flatMap((file) => ['--env-file', file]),
    ...flag('--ready', typeof ready === 'object' ? ready.path : ready),
    ...flag('--drain-timeout', drainTimeout),
    ...(nodeArgs === undefined ? [] : [`--node-args=${nodeArgs}`]),
    ...(args && args.length > 0 ? ['--', ...args] : []),
  ];
}

/** A user of this host. */
export interface Account {
  name: string;
  uid: number;
  gid: number;
  home: string;
}

/** Who a system unit runs as: the one named, else the owner of the app; null: root, for whom a user is made up. */
function ownerFor(named: string | undefined, path: string): Account | null {
  // What is not there, the reading of it tells.
  const account = accountOf(named ?? String(statSync(path, { throwIfNoEntry: false })?.uid ?? 0));
  if (account === null && named !== undefined)
    throw usage(
      `there is no user ${named} on this host`,
      'name another one with --run-as, or make it: useradd --system',
    );
  if (account?.uid === 0 && named === undefined) return null;
  return account;
}

function accountOf(user: string): Account | null {
  try {
    // name:password:uid:gid:comment:home:shell, from wherever this host keeps its users.
    const [name, , uid, gid, , home] = execFileSync('getent', ['passwd', '--', user], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
      .trim()
      .split(':');
    return { name: name!, uid: Number(uid), gid: Number(gid), home: home ?? '/' };
  } catch {
    return null;
  }
}

function runsAsFor(user: boolean, dropsPrivileges: boolean, owner: Account | null): RunsAs {
  if (user) return { kind: 'manager' };
  if (dropsPrivileges) return { kind: 'user', name: 'root' };
  return owner === null ? { kind: 'dynamic' } : { kind: 'user', name: owner.name };
}

const realOf = (path: string): string => {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
};

/** What `ProtectHome=` hides. */
const HOMES = ['/home', '/root', '/run/user'];
const isBelow = (path: string, folders: string[]): boolean =>
  folders.some((folder) => `${path}/`.startsWith(`${folder}/`));

/** Nobody runs what he may not read. @param account null: a user that systemd makes up, who sees only what all may see */
function refuseHidden(paths: string[], account: Account | null): void {
  if (account?.uid === 0) return;
  for (const path of paths)
    for (let at = path; at !== dirname(at); at = dirname(at)) {
      const info = statSync(at, { throwIfNoEntry: false });
      if (!info || mayRead(info, account)) continue;
      throw usage(
        `${account === null ? 'a user that systemd makes up' : account.name} may not read ${at}, and so could not run ${path}`,
        at === path || info.isFile()
          ? `chmod o+r ${at}, or name the user that it is run as: --run-as <user>`
          : `move it (to /srv, say; Node and zdsup to /usr/local), chmod o+x ${at}, or name the user that it is run as: --run-as <user>`,
      );
    }
}

/** Groups beside the first are not asked: at the most a chmod more is asked for than it takes. */
function mayRead(info: Stats, account: Account | null): boolean {
  const wanted = info.isDirectory() ? 0o1 : 0o4;
  if (account !== null && info.uid === account.uid) return (info.mode & (wanted << 6)) !== 0;
  if (account !== null && info.gid === account.gid && (info.mode & (wanted << 3)) !== 0) return true;
  return (info.mode & wanted) !== 0;
}

/** `3000`, `127.0.0.1:3000`, `[::1]:3000`, a path, or `@name`. */
const ADDRESS = /^(?:\d{1,5}|\d{1,3}(?:\.\d{1,3}){3}:\d{1,5}|\[[0-9a-fA-F:.]+\]:\d{1,5}|[/@]\S.*)$/;

async function socketsFor(app: string, wanted: string[] | boolean): Promise<string[]> {
  if (wanted === false) return [];
  if (wanted === true) return listenersOf(app);
  for (const address of wanted) {
    const port = /(?:^|:)(\d{1,5})$/.exec(address)?.[1];
    const isPort = address.startsWith('/') || address.startsWith('@') || (Number(port) > 0 && Number(port) < 65_536);
    if (!ADDRESS.test(address) || !isPort)
      throw usage(
        `--socket ${address} is no address that systemd could listen on`,
        'give a port (3000), an address and a port (127.0.0.1:3000, [::1]:3000), or the path of a unix socket',
      );
  }
  return wanted;
}

/** Of the app as it runs. */
async function listenersOf(app: string): Promise<string[]> {
  const running = (await knownApps()).find(({ name }) => name === app)?.running;
  const description = running ? await askDescription(running.socketPath) : null;
  const found = (description?.listeners ?? []).flatMap((one) => {
    if ('path' in one) return [one.path.replace('\0', '@')];
    if (one.protocol === 'udp') return [];
    const { address, port } = one;
    if (address === null || address === '::') return [String(port)];
    return [address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`];
  });
  if (found.length > 0) return [...new Set(found)];
  throw usage(
    `${app} does not run, so that nobody knows where it listens`,
    'name the addresses: --socket 3000, or several: --socket 3000 /run/app.sock',
  );
}

/** Of the systemd on this host. */
function systemdVersion(): number {
  try {
    const words = execFileSync('systemctl', ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return Number(/^systemd (\d+)/.exec(words)?.[1] ?? OLDEST);
  } catch {
    return OLDEST;
  }
}

const runtimeFolder = (): string => process.env.XDG_RUNTIME_DIR || `/run/user/${process.geteuid?.()}`;

/** Where the units of this user, or of the system, lie. */
export const unitFolder = (user: boolean): string =>
  user ? resolve(process.env.XDG_CONFIG_HOME || resolve(homedir(), '.config'), 'systemd/user') : '/etc/systemd/system';

/** Does systemd run this host, or this user's session? */
export const systemdRuns = (): boolean => existsSync('/run/systemd/system');
