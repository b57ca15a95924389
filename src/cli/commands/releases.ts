/** Runs in the CLI. `zdsup releases`: what is stored of an app, whether it runs or not. */
import { askStatus } from '../../client/control-client.js';
import type { KnownApp } from '../../client/known-apps.js';
import { chooseKnown } from '../../client/known-apps.js';
import { readCurrent, readNext, readPrevious } from '../../releases/current.js';
import { hasFailed } from '../../releases/failed.js';
import { releaseOf, releasesInUse } from '../../releases/in-use.js';
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
  else
    process.stdout.write(
      `${listed.map((one) => renderReleases(one.app, one.releases, Date.now(), verify)).join('\n\n')}\n`,
    );
  return listed.some((one) => one.releases.some(({ faults }) => faults.length > 0)) ? 1 : 0;
}

async function listOf({ name, running, remembered }: KnownApp, verify: boolean): Promise<ListedRelease[]> {
  if (!remembered) return [];
  const store = releasesDir(remembered.state, name);
  const status = running && (await askStatus(running.socketPath).catch(() => null));
  const app = status?.ok && status.command === 'status' ? status.app : null;
  const uses = {
    serving: app?.release?.id,
    parked: (app?.workers ?? []).flatMap(({ state, pid }) => (state === 'parked' && pid ? [releaseOf(pid)] : [])),
    used: releasesInUse(name),
    next: running ? null : readNext(store),
    good: goodIn(store, app?.release?.id),
  };
  return listReleases(store).map(({ id }) => ({
    id,
    path: treePath(store, name, id),
    state: stateOf(store, id, uses),
    ...about(store, name, id, verify),
  }));
}

interface Uses {
  serving: string | undefined;
  parked: (string | undefined)[];
  used: ReadonlySet<string>;
  next: string | null;
  good: string | null;
}

/** What a rollback without a release goes back to: of one that serves on trial what was good last, of one that is good what was before it. */
function goodIn(store: string, serving: string | undefined): string | null {
  const current = readCurrent(store);
  return serving === undefined || (current !== null && current !== serving) ? current : readPrevious(store);
}

function stateOf(store: string, id: string, { serving, parked, used, next, good }: Uses): ListedRelease['state'] {
  if (id === serving) return 'serves';
  if (parked.includes(id)) return 'parked';
  if (id === next) return 'starts next';
  if (id === good) return 'last good';
  if (used.has(id)) return 'in use';
  return hasFailed(store, id) ? 'failed' : 'stored';
}

function about(store: string, app: string, id: string, verify: boolean): Pick<ListedRelease, 'head' | 'faults'> {
  try {
    return { head: readHead(store, id), faults: verify ? verifyRelease(store, app, id) : [] };
  } catch (error) {
    return { head: null, faults: [(error as Error).message] };
  }
}
