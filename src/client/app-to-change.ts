/** Runs in the CLI. Whom a command without a name means that would change something: an app is never guessed from its being the only one that was ever started. */
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { AppRecord } from '../shared/app-record.js';
import { CONFIG_FILE_NAMES } from '../shared/config-file-names.js';
import { ZdsupError } from '../shared/errors.js';
import { logicalFolder, namesHere, whichOf } from './apps.js';
import type { KnownApp } from './known-apps.js';
import { knownApps, noneKnown } from './known-apps.js';

/** By these a folder says that an app lies in it. */
const SIGNS = [
  'package.json',
  ...CONFIG_FILE_NAMES,
  ...['app', 'server', 'index', 'main'].flatMap((name) =>
    ['js', 'mjs', 'cjs', 'ts', 'mts'].map((end) => `${name}.${end}`),
  ),
];

/**
 * The app of the current folder, else the only one that runs.
 * @param command for the hint, such as `deploy` @param here the shell's folder
 * @throws ZdsupError ZDSUP_APP_AMBIGUOUS (exit 2)
 */
export async function chooseToChange(command: string, here: string = logicalFolder()): Promise<KnownApp> {
  const known = (await knownApps()).filter(({ running }) => running?.owner === undefined);
  if (known.length === 0) throw noneKnown();
  const own = appOf(here, known);
  if (own) return own;
  const sign = SIGNS.find((name) => existsSync(join(here, name)));
  const running = known.filter((app) => app.running);
  if (sign === undefined && running.length === 1) return running[0]!;
  throw whichOne(command, here, sign, known);
}

/** By the name that `start` gives one of this folder, else by where it was started from. */
export function appOf(here: string, known: KnownApp[]): KnownApp | undefined {
  const names = namesHere(here);
  const named = known.find(({ name }) => names.includes(name));
  if (named) return named;
  const from = known.filter(({ remembered }) => remembered?.record && liesHere(remembered.record, here));
  const only = [from, from.filter((app) => app.running)].find((some) => some.length === 1);
  if (from.length > 0 && !only) throw whichOf(from, 'are known');
  return only?.[0];
}

/** Was it started here, by a config or script that is here, or to work here? */
function liesHere({ request: { configPath, baseDir, overrides } }: AppRecord, here: string): boolean {
  if (configPath !== undefined && dirname(configPath) === here) return true;
  const { script, cwd } = overrides as { script?: string; cwd?: string };
  if (cwd !== undefined) return resolve(baseDir, cwd) === here;
  return (
    configPath === undefined &&
    (baseDir === here || (script !== undefined && dirname(resolve(baseDir, script)) === here))
  );
}

function whichOne(command: string, here: string, sign: string | undefined, known: KnownApp[]): ZdsupError {
  const names = known.map(({ name, running }) => `${name}${running ? '' : ' (which does not run)'}`);
  const start =
    sign === undefined || sign === 'package.json' ? '<script>' : CONFIG_FILE_NAMES.includes(sign) ? '' : sign;
  const name = known.length === 1 ? known[0]!.name : '<app>';
  return new ZdsupError({
    code: 'ZDSUP_APP_AMBIGUOUS',
    message: `which app? none was started from ${here}${sign === undefined ? '' : `, which has a ${sign} of its own`} (known: ${names.join(', ')})`,
    hint: `name it: zdsup ${command} ${name}; ${`zdsup start ${start}`.trimEnd()} starts one of this folder`,
    exitStatus: 2,
  });
}
