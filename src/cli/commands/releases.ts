/** Runs in the CLI. `zdsup releases`: what is stored of an app, whether it runs or not. */
import { askStatus } from '../../client/control-client.js';
import type { KnownApp } from '../../client/known-apps.js';
import { chooseKnown } from '../../client/known-apps.js';
import { readCurrent, readNext } from '../../releases/current.js';
import { releasesInUse } from '../../releases/in-use.js';
import { treePath } from '../../releases/layout.js';
import { listReleases, readHead } from '../../releases/store.js';
import { verifyRelease } from '../../releases/verify.js';
import { releasesDir } from '../../shared/paths.js';
import type { ListedRelease } from '../render/releases.js';
import { renderReleases } from '../render/releases.js';

/** @returns 1 where one of them is damaged */
export async function releases(
  name: string | undefined,
  { verify, json }: { verify: boolean; json: boolean },
): Promise<number> {
  const listed = await Promise.all(
    (await chooseKnown(name)).map(async (app) => ({ app: app.name, releases: await listOf(app, verify) })),
  );
  if (json) process.stdout.write(`${JSON.stringify(name === 'all' ? { apps: listed } : listed[0], null, 2)}\n`);
  else process.stdout.write(`${listed.map((one) => renderReleases(one.app, one.releases, Date.now())).join('\n\n')}\n`);
  return listed.some((one) => one.releases.some(({ faults }) => faults.length > 0)) ? 1 : 0;
}

async function listOf({ name, running, remembered }: KnownApp, verify: boolean): Promise<ListedRelease[]> {
  if (!remembered) return [];
  const store = releasesDir(remembered.state, name);
  const status = running && (await askStatus(running.socketPath).catch(() => null));
  const serving = status?.ok && status.command === 'status' ? status.app.release?.id : undefined;
  const used = releasesInUse(name);
  const good = readCurrent(store);
  const next = running ? null : readNext(store);
  return listReleases(store).map(({ id }) => ({
    id,
    path: treePath(store, name, id),
    state:
      id === serving
        ? 'serves'
        : used.has(id)
          ? 'in use'
          : id === next
            ? 'starts next'
            : id === good
              ? 'last good'
              : 'stored',
    ...about(store, name, id, verify),
  }));
}

function about(store: string, app: string, id: string, verify: boolean): Pick<ListedRelease, 'head' | 'faults'> {
  try {
    return { head: readHead(store, id), faults: verify ? verifyRelease(store, app, id) : [] };
  } catch (error) {
    return { head: null, faults: [(error as Error).message] };
  }
}
