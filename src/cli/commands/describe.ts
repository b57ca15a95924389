/** Runs in the CLI. `zdsup describe`: everything about an app, from its master and from what is remembered of it. */
import { gone } from '../../client/apps.js';
import { ask, NobodyThere } from '../../client/control-client.js';
import type { KnownApp } from '../../client/known-apps.js';
import { chooseKnown } from '../../client/known-apps.js';
import { brokenRecord, snapshotAtRest } from '../../client/records.js';
import type { AppDescription, DescribedApp } from '../../shared/description.js';
import { ZdsupError } from '../../shared/errors.js';
import { renderDescription } from '../render/description.js';

/** Longer than a status takes: the answer is made late, on a host that may be busy. In ms. */
const ANSWER_WITHIN_MS = 2_000;

/** @returns 3 where one was named that does not run: what is remembered is shown all the same */
export async function describe(name: string | undefined, { json }: { json: boolean }): Promise<number> {
  const apps = await chooseKnown(name);
  const described = await Promise.all(apps.map(describeOne));
  if (json) process.stdout.write(`${JSON.stringify(name === 'all' ? { apps: described } : described[0], null, 2)}\n`);
  else
    process.stdout.write(
      `${described.map((app) => renderDescription(app, Date.now(), process.stdout.columns)).join('\n\n')}\n`,
    );
  return name !== 'all' && described[0]!.ended ? 3 : 0;
}

async function describeOne({ name, running, remembered }: KnownApp): Promise<DescribedApp> {
  const record = remembered?.record ?? null;
  const app = running && (await askFor(running.socketPath));
  if (app) return { ...app, record };
  if (!remembered) throw gone(name);
  if (record === null) throw brokenRecord(remembered);
  return { ...snapshotAtRest(remembered, record), config: null, exits: [], rollouts: [], record };
}

/** Null where it has gone meanwhile. */
async function askFor(socketPath: string): Promise<AppDescription | null> {
  try {
    const result = await ask(socketPath, { command: 'describe' }, { answerWithinMs: ANSWER_WITHIN_MS });
    if (result.ok && result.command === 'describe') return result.app;
    throw new ZdsupError(
      result.ok
        ? { code: 'ZDSUP_CONTROL_PROTOCOL', message: 'the master answered something else', exitStatus: 1 }
        : result.error,
    );
  } catch (error) {
    if (error instanceof NobodyThere) return null;
    throw error;
  }
}
