/**
 * Runs in a short-lived child of the master: reads one app's config, judges it, resolves its release, and answers with a
 * plan as plain data. The config file is user code: its `process.exit` ends only this process.
 */
import { basename, dirname, extname } from 'node:path';
import type { AppConfig } from '../../shared/config.js';
import { parseConfig, refuseUnknownKeysOf } from '../../shared/config-schema.js';
import { toReport, ZdsupError } from '../../shared/errors.js';
import { VERSION } from '../../shared/version.cjs';
import type { Plan, PlanAnswer, PlannerQuestion } from '../plan.js';
import { loadConfigFile, threw } from './config-file.js';
import { guardAgainstOrphanhood } from './orphan-guard.js';
import { makePlan } from './release.js';
import { relocation } from './relocate.js';
import { refuseWeak, WHY_CONFIG } from './root-only.js';

// Before the config runs: what it sets in its own environment is not the workers'.
const masterEnv = { ...process.env };
const parent = process.ppid;
// What the config, or the app's code that it imports, has to say to a parent is not for the master.
const send = process.send?.bind(process);
delete process.send;

// Whoever asked has gone: a config that is still at work has nobody to answer.
process.once('disconnect', () => process.exit());
process.once('message', async (request: PlannerQuestion) => {
  process.channel?.unref(); // From here on the config alone keeps this process.
  // A config that awaits what can never settle leaves this process with nothing to do.
  process.once('beforeExit', () => tell({ ok: false, error: neverReturns(request).toReport() }));
  // One that leaves a promise to fail by itself would end it with Node's own report.
  process.on('uncaughtException', (error) => tell({ ok: false, error: toReport(blame(error, request)) }));
  tell(await answer(request));
});

const blame = (error: Error, { configPath }: PlannerQuestion): Error =>
  configPath === undefined ? error : threw(configPath, error);

/** Ends once this is written: by itself, or by the master, which has its answer. */
function tell(result: PlanAnswer): void {
  process.removeAllListeners('beforeExit');
  send?.(result);
}

async function answer(request: PlannerQuestion): Promise<PlanAnswer> {
  try {
    return { ok: true, plans: await plans(request) };
  } catch (error) {
    return { ok: false, error: toReport(error) };
  }
}

async function plans(question: PlannerQuestion): Promise<Plan[]> {
  const { version, only, overrides, every, scaled, release, guarded, command } = question;
  const relocate = relocation(release);
  const baseDir = relocate(question.baseDir);
  const configPath = question.configPath === undefined ? undefined : relocate(question.configPath);
  if (version !== VERSION) throw upgraded(version);
  if (configPath !== undefined && extname(configPath) !== '.json') guardAgainstOrphanhood(parent);
  const folder = configPath === undefined ? baseDir : dirname(configPath);
  // Before it is evaluated: what its workers' user has put there, root would run.
  if (configPath !== undefined && guarded && process.geteuid?.() === 0)
    refuseWeak('the config', configPath, WHY_CONFIG);
  const raw = configPath === undefined ? {} : await loadConfigFile(configPath);
  // The file has nothing to do with it. Flags are known ones.
  if (configPath !== undefined && command === 'start()') refuseUnknownKeysOf(overrides, 'overrides.', 'start');
  const apps = parseConfig(withOverrides(raw, overrides, only), configPath ?? withoutFile(question));
  const chosen = every && only === undefined ? allNamed(apps, configPath) : [chooseApp(apps, namesIn(raw), question)];
  return Promise.all(chosen.map((app) => makePlan(app, folder, masterEnv, { scaled, release, configPath })));
}

/** What is to blame where there is no config file: in the words of whoever asks. */
const withoutFile = ({ command }: PlannerQuestion): string => (command === 'start()' ? 'start' : 'the command line');

const neverReturns = ({ configPath }: PlannerQuestion): ZdsupError =>
  new ZdsupError({
    code: 'ZDSUP_CONFIG_TIMEOUT',
    message: `${configPath === undefined ? 'reading the release' : basename(configPath)} never returns: it awaits what can never settle`,
    hint: 'a config exports data; take out what it waits for',
    exitStatus: 2,
  });

const upgraded = (version: string): ZdsupError =>
  new ZdsupError({
    code: 'ZDSUP_VERSION_MISMATCH',
    message: `the master runs zdsup ${version}, the files on disk are ${VERSION}`,
    hint: 'restart the master to finish the upgrade: zdsup stop, then start it again',
    exitStatus: 1,
  });

/** Flags win over the file, for each key as a whole; with several apps they are for the one that was picked. */
function withOverrides(raw: unknown, overrides: Record<string, unknown>, only: string | undefined): unknown {
  if (typeof raw !== 'object' || raw === null || Object.keys(overrides).length === 0) return raw;
  const { apps } = raw as { apps?: unknown };
  if (!Array.isArray(apps)) return overridden(raw, overrides);
  const isPicked = (app: unknown): boolean => only === undefined || (app as { name?: unknown } | null)?.name === only;
  return { ...raw, apps: apps.map((app: unknown) => (isPicked(app) ? overridden(app as object, overrides) : app)) };
}

/** But of `http` the port alone: the flag has no other, and a read-only page does not become one that orders. */
function overridden(app: object, overrides: Record<string, unknown>): object {
  const { http: given } = app as { http?: unknown };
  if (typeof overrides.http !== 'number' || typeof given !== 'object' || given === null)
    return { ...app, ...overrides };
  const { socket: _, ...http } = given as Record<string, unknown>;
  return { ...app, ...overrides, http: { ...http, port: overrides.http } };
}

/** Each gets a master of its own, which picks its app by the name at each reload. */
function allNamed(apps: AppConfig[], configPath: string | undefined): AppConfig[] {
  const nameless = apps.findIndex((app) => app.name === undefined);
  if (apps.length === 1 || nameless === -1) return apps;
  throw new ZdsupError({
    code: 'ZDSUP_CONFIG_INVALID',
    message: `${configPath}: apps[${nameless}].name is missing`,
    hint: 'with several apps each one needs a name',
    exitStatus: 2,
  });
}

/** As the file has them: `--only` is one of these, also where `--name` gives the picked app another. */
function namesIn(raw: unknown): (string | undefined)[] {
  const { apps } = raw as { apps?: unknown };
  return (Array.isArray(apps) ? apps : [raw]).map(({ name }: { name?: string }) => name);
}

function chooseApp(apps: AppConfig[], own: (string | undefined)[], question: PlannerQuestion): AppConfig {
  const { only, configPath, command } = question;
  const words = WORDS[command ?? 'start'];
  if (configPath === undefined && only !== undefined)
    throw new ZdsupError({
      code: 'ZDSUP_USAGE',
      message: `${words.only}${only} picks an app of a config file, and none was given`,
      hint: words.noFile,
      exitStatus: 2,
    });
  const source = configPath === undefined ? withoutFile(question) : basename(configPath);
  const names = own.map((name) => name ?? '(no name)').join(', ');
  const refused = (message: string): ZdsupError =>
    new ZdsupError({ code: 'ZDSUP_USAGE', message, hint: words.pick, exitStatus: 2 });
  if (only !== undefined) {
    const found = apps[own.indexOf(only)];
    if (found) return found;
    throw refused(`${source} has no app ${only}; it has ${names}`);
  }
  if (apps.length === 1) return apps[0]!;
  throw refused(`${source} has ${apps.length} apps: ${names}; ${words.takesOne}`);
}

/** Of whoever asks. */
const WORDS = {
  start: {
    only: '--only ',
    noFile: 'leave --only out; --name names the app',
    pick: 'pick one of them with --only <name>, or start them all with --daemon',
    takesOne: 'in the foreground zdsup runs one',
  },
  check: {
    only: '--only ',
    noFile: 'leave --only out',
    pick: 'pick one of them with --only <name>',
    takesOne: 'a check tries one',
  },
  'start()': {
    only: 'start: only: ',
    noFile: 'leave only out; overrides: { name } names the app',
    pick: "pick one of them: only: '<name>'",
    takesOne: 'a start takes one',
  },
};
