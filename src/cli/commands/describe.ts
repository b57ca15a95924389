/** Runs in the CLI. `zdsup describe`: everything about an app, from its master and from what is remembered of it. */
import { gone } from '../../client/apps.js';
import { askDescription } from '../../client/control-client.js';
import type { KnownApp } from '../../client/known-apps.js';
import { chooseKnown } from '../../client/known-apps.js';
import { brokenRecord, snapshotAtRest } from '../../client/records.js';
import type { DescribedApp } from '../../shared/description.js';
import { renderDescription } from '../render/description.js';

/** @returns 3 where one was named that does not run: what is remembered is shown all the same */
export async function describe(name: string | undefined, { json }: { json: boolean }): Promise<number> {
  const apps = await chooseKnown(name, { others: true });
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
  const app = running && (await askDescription(running.socketPath));
  if (app) return { ...app, name, record };
  if (!remembered) throw gone(name);
  if (record === null) throw brokenRecord(remembered);
  return { ...snapshotAtRest(remembered, record), config: null, exits: [], rollouts: [], record };
}
