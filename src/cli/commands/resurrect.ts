/**
 * Runs in the CLI. `zdsup resurrect`: starts again, as daemons, the apps whose records say that they ran when their masters died, or did not come up at
 * their last start. Meant for the start of a host, by cron; systemd does better where it is there (docs/config.md, Daemons).
 */
import { availableParallelism, homedir } from 'node:os';
import { resolve } from 'node:path';
import { runningApps } from '../../client/apps.js';
import type { KnownApp } from '../../client/known-apps.js';
import { withRemembered } from '../../client/known-apps.js';
import type { Remembered } from '../../client/records.js';
import { brokenRecord } from '../../client/records.js';
import { failedResult } from '../../shared/control-protocol.js';
import type { ExitStatus } from '../../shared/errors.js';
import { isSystemState, stateDir } from '../../shared/paths.js';
import { crontabLine } from '../render/crontab.js';
import { tell } from './carry-out.js';
import { bringBack } from './start.js';
import type { Outcome } from './start-daemon.js';
import { BIN } from './start-daemon.js';

/** What a shell gives for a command that was interrupted: 128 + SIGINT. */
const INTERRUPTED = 130;
/** A first start computes for half a second and then waits for a second or more; one that is never ready holds up none of the others. */
const AT_ONCE = Math.max(4, availableParallelism());

interface Found {
  app: string;
  /** `left`: not for us to start; `note` says why. */
  outcome: 'started' | 'failed' | 'running' | 'left';
  note?: string;
  /** In the JSON all else that the start came to stands beside it. */
  exitStatus: ExitStatus;
}
/** To be started again. */
interface Died {
  app: string;
  remembered: Remembered;
}

/** @returns the highest exit status; what one app comes to does not keep the others from their turn */
export async function resurrect({ printCrontab, json }: { printCrontab: boolean; json: boolean }): Promise<number> {
  if (printCrontab) {
    const { ZDSUP_HOME, XDG_STATE_HOME, PATH } = process.env;
    const log = resolve(stateDir(process.env, homedir()), 'resurrect.log');
    const command = [process.execPath, BIN, 'resurrect'];
    process.stdout.write(`${crontabLine({ ZDSUP_HOME, XDG_STATE_HOME, PATH }, command, log)}\n`);
    return 0;
  }
  process.once('SIGINT', leave);
  const known = await withRemembered(await runningApps());
  const judged = known.flatMap(judge);
  for (const one of judged) if ('note' in one && !json) process.stderr.write(`note: ${one.note}\n`);
  const reports = await inTurns(judged, async (one): Promise<Found> => {
    if (!('remembered' in one)) return one;
    const { app, remembered } = one;
    const outcome = remembered.record === null ? broken(remembered) : await bringBack(remembered, json);
    // Somebody has started it meanwhile: it runs, which is what was wanted.
    if (!outcome.ok && outcome.error.code === 'ZDSUP_APP_RUNNING') return { app, outcome: 'running', exitStatus: 0 };
    if (!json) tell(app, outcome, true);
    return { ...outcome, app, outcome: outcome.ok ? 'started' : 'failed' };
  });
  process.off('SIGINT', leave);
  if (json) process.stdout.write(`${JSON.stringify(reports, null, 2)}\n`);
  else if (reports.every(({ outcome }) => outcome === 'running' || outcome === 'left'))
    process.stdout.write(`nothing to start again${alsoRuns(reports)}\n`);
  return Math.max(0, ...reports.map(({ exitStatus }) => exitStatus));
}

const alsoRuns = (reports: Found[]): string => {
  const names = reports.filter(({ outcome }) => outcome === 'running').map(({ app }) => app);
  return names.length === 0 ? '' : `: ${names.join(', ')} ${names.length === 1 ? 'runs' : 'run'} already`;
};

function leave(): void {
  process.stderr.write('detached: what was begun goes on, the others are not started; zdsup status shows them\n');
  process.exit(INTERRUPTED);
}

/** Those that were stopped are none of our business. */
function judge({ name: app, running, remembered }: KnownApp): (Found | Died)[] {
  if (remembered === null || remembered.uid !== process.geteuid?.()) return [];
  if (isSystemState(remembered.state)) return []; // Of a unit: systemd starts it.
  if (running) return [{ app, outcome: 'running', exitStatus: 0 }];
  const { record } = remembered;
  if (record === null) return [{ app, remembered }];
  // It did not come up, for a database that was late, say: that was no wish of anybody's.
  if (record.ended !== null && record.ended.how !== 'crashed') return [];
  if (!record.daemon) {
    const note = `${app} ran in the foreground and is left as it is; whoever ran it there starts it; zdsup start ${app} --daemon makes it a daemon`;
    return [{ app, outcome: 'left', exitStatus: 0, note }];
  }
  return [{ app, remembered }];
}

const broken = (remembered: Remembered): Outcome => failedResult(brokenRecord(remembered).toReport());

/** In their order, so many at once. */
async function inTurns<T, R>(all: T[], act: (one: T) => Promise<R>): Promise<R[]> {
  const results: R[] = new Array(all.length);
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < all.length) {
      const index = next++;
      results[index] = await act(all[index]!);
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, all.length) }, worker));
  return results;
}
