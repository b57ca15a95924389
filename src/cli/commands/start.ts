/** Runs in the CLI, which becomes the master: `zdsup start` in the foreground. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { logicalFolder } from '../../client/apps.js';
import { CONFIG_FILE_NAMES, isConfigPath } from '../../shared/config-file-names.js';
import type { ErrorCode } from '../../shared/errors.js';
import { ZdsupError } from '../../shared/errors.js';
import { nearestWord } from '../../shared/nearest.js';
import { VERSION } from '../../shared/version.cjs';

export interface StartOptions {
  name?: string;
  instances?: number | string;
  cwd?: string;
  envFile?: string[];
  nodeArgs?: string;
  only?: string;
  ready?: string;
  drainTimeout?: string;
  logFormat?: 'json' | 'pretty';
  json?: boolean;
}

export async function start(target: string | undefined, args: string[], options: StartOptions): Promise<number> {
  const baseDir = logicalFolder();
  const configFile = target === undefined ? findConfigFile(baseDir) : isConfigPath(target) ? target : undefined;
  if (target === undefined && configFile === undefined)
    throw new ZdsupError({
      code: 'ZDSUP_USAGE',
      message: `nothing to start: no script was given, and ${baseDir} has no zdsup.config file`,
      hint: 'zdsup start app.js',
      exitStatus: 2,
    });
  if (configFile !== undefined && !existsSync(resolve(baseDir, configFile)))
    throw missing('config file', 'ZDSUP_CONFIG_MISSING', configFile, resolve(baseDir, configFile));
  const overrides = overridesOf(options, args, baseDir);
  if (configFile === undefined) overrides.script = scriptOf(target!, resolve(baseDir, options.cwd ?? '.'), baseDir);
  const request = {
    version: VERSION,
    overrides,
    baseDir,
    ...(configFile === undefined ? {} : { configPath: resolve(baseDir, configFile) }),
    ...(options.only === undefined ? {} : { only: options.only }),
  };
  // The planner boots while the master's modules load.
  const { readPlan } = await import('../../master/plan.js');
  const masterEnv = environmentAtStart();
  const first = readPlan(request, masterEnv);
  first.catch(() => {}); // Told by runMaster, which awaits it.
  const { runMaster } = await import('../../master/main.js');
  const status = await runMaster(request, first, masterEnv, options.json ? 'json' : options.logFormat);
  // The master is done: a timer or handle that somebody left must not keep it.
  process.exit(status);
}

/** The config file of a folder, where it has one. */
const findConfigFile = (folder: string): string | undefined =>
  CONFIG_FILE_NAMES.map((name) => join(folder, name)).find((path) => existsSync(path));

/**
 * Node reads `--env-file` by itself, also where it stands behind the script. What it has set would outlive the file's own
 * contents, so the environment is taken as the kernel has it.
 */
function environmentAtStart(): NodeJS.ProcessEnv {
  if (!process.argv.some((argument) => argument.startsWith('--env-file'))) return { ...process.env };
  try {
    const pairs = readFileSync('/proc/self/environ', 'utf8').split('\0').filter(Boolean);
    return Object.fromEntries(
      pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
    );
  } catch {
    return { ...process.env }; // No /proc.
  }
}

/** As given on the command line it is relative to the shell's folder; the config wants it relative to --cwd. */
function scriptOf(target: string, cwd: string, baseDir: string): string {
  const candidates = [resolve(baseDir, target), resolve(cwd, target)];
  const path = candidates.find(
    (candidate) => existsSync(candidate) || (extname(candidate) === '' && existsSync(`${candidate}.js`)),
  );
  if (path === undefined) throw missing('script', 'ZDSUP_SCRIPT_MISSING', target, candidates[0]!);
  if (existsSync(path) && statSync(path).isDirectory() && !existsSync(`${path}.js`))
    throw new ZdsupError({
      code: 'ZDSUP_SCRIPT_NOT_A_FILE',
      message: `${target} is a folder, not a script`,
      hint: `name the script in it, or its config: zdsup start ${join(target, entryOf(path))}`,
      exitStatus: 2,
    });
  return path;
}

function entryOf(folder: string): string {
  const names = readdirSync(folder);
  return (
    [...CONFIG_FILE_NAMES, 'app.js', 'server.js', 'index.js', 'main.js'].find((name) => names.includes(name)) ??
    'app.js'
  );
}

function missing(what: string, code: ErrorCode, target: string, path: string): ZdsupError {
  const folder = dirname(path);
  const near = existsSync(folder) ? nearestWord(basename(path), readdirSync(folder)) : undefined;
  return new ZdsupError({
    code,
    message: `no such ${what}: ${path}`,
    hint: near
      ? `did you mean ${join(dirname(target), near)}?`
      : 'check the path; zdsup start takes a script or a config file',
    exitStatus: 2,
  });
}

/** What was given on the command line, as config keys. Paths are relative to the shell's folder, not to a config file's. */
function overridesOf(options: StartOptions, args: string[], baseDir: string): Record<string, unknown> {
  const { name, instances, cwd, envFile, nodeArgs, ready, drainTimeout } = options;
  const given = {
    name,
    instances,
    nodeArgs,
    drainTimeout,
    cwd: cwd === undefined ? undefined : resolve(baseDir, cwd),
    envFile: envFile?.map((file) => resolve(baseDir, file)),
    args: args.length > 0 ? args : undefined,
    ready: ready?.startsWith('/') ? { path: ready } : ready,
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}
