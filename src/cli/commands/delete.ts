/** Runs in the CLI. `zdsup delete`: forgets an app that does not run: its record, its log, its journal, its token and its releases. */
import { lstatSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { chooseToChange } from '../../client/app-to-change.js';
import { answers } from '../../client/apps.js';
import type { KnownApp } from '../../client/known-apps.js';
import { chooseKnown } from '../../client/known-apps.js';
import type { Forgotten } from '../../releases/forget.js';
import { forgetReleases } from '../../releases/forget.js';
import type { FailedResult } from '../../shared/control-protocol.js';
import { failedResult } from '../../shared/control-protocol.js';
import { ZdsupError } from '../../shared/errors.js';
import { deployLockPath, journalPath, logPath, releasesDir, tokenPath } from '../../shared/paths.js';
import { printError } from '../render/error.js';
import { deployUnderWay } from './deploy-lock.js';

type Outcome = { app: string } & (
  | { type: 'result'; ok: true; exitStatus: 0; command: 'delete'; removed: string[]; message: string }
  | FailedResult
);

/** @returns 4 where one of them runs: the others are forgotten all the same */
export async function forget(name: string | undefined, { json }: { json: boolean }): Promise<number> {
  const outcomes = await Promise.all(
    (name === undefined ? [await chooseToChange('delete')] : await chooseKnown(name)).map(forgetOne),
  );
  if (json) process.stdout.write(`${JSON.stringify(name === 'all' ? outcomes : outcomes[0], null, 2)}\n`);
  else
    for (const outcome of outcomes) {
      if (outcome.ok) process.stdout.write(`${outcome.app}: ${outcome.message}\n`);
      else printError(outcome.error, { json: false });
    }
  return Math.max(...outcomes.map((outcome) => outcome.exitStatus));
}

async function forgetOne({ name, running, remembered }: KnownApp): Promise<Outcome> {
  if (running) {
    const error = new ZdsupError({
      code: 'ZDSUP_APP_RUNNING',
      message: `${name} is running, and only what does not run can be forgotten`,
      hint: `zdsup stop ${name}, then zdsup delete ${name}`,
      exitStatus: 4,
    });
    return { app: name, ...failedResult(error.toReport()) };
  }
  const { state, path } = remembered!;
  // It would go on to store what nothing knows of any more.
  if (await answers(deployLockPath(join(state, 'run'), name)))
    return { app: name, ...failedResult(deployUnderWay(name, 'a').toReport()) };
  const log = logPath(state, name); // Not as the record says: where root forgets, another user has written that.
  const journal = journalPath(state, name);
  const removed = [log, journal, `${journal}.1`, tokenPath(state, name), path].filter(
    (file) => isPlain(dirname(file)) && isPlain(file),
  );
  const store = releasesDir(state, name);
  const releases = isPlain(dirname(store)) ? forgetReleases(store) : null;
  // Its record last: as long as that is there, what was interrupted or refused can be done again.
  for (const file of removed) rmSync(file);
  return {
    app: name,
    type: 'result',
    ok: true,
    exitStatus: 0,
    command: 'delete',
    removed,
    message: messageOf(removed.includes(log), removed.includes(journal), releases),
  };
}

function messageOf(hasLog: boolean, hasJournal: boolean, releases: Forgotten | null): string {
  const what = [
    hasLog ? 'its log' : '',
    hasJournal ? 'its journal' : '',
    releases && releases.count > 0 ? `${releases.count} ${releases.count === 1 ? 'release' : 'releases'}` : '',
  ].filter(Boolean);
  const listed = [what.slice(0, -1).join(', '), what.at(-1)].filter(Boolean).join(' and ');
  const stays = releases?.shared ? `; what it has written to its shared folders stays in ${releases.shared}` : '';
  return `forgotten${what.length > 0 ? `, with ${listed}` : ''}${stays}`;
}

/** There, and no link that leads elsewhere. */
function isPlain(path: string): boolean {
  const info = lstatSync(path, { throwIfNoEntry: false });
  return info !== undefined && !info.isSymbolicLink();
}
