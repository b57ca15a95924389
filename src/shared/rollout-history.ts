/** The rollouts that a journal tells of, each made of its entries. Pure. */
import type { EntryOf, JournalEntry, JournalRelease } from './journal-entry.js';

export interface PastRollout {
  id: number;
  /** `start` of the first one of a master; `deploy` of one that has ended and brought in a release of the store. */
  kind: string;
  source: string;
  startedAt: string;
  from: number | null;
  to: number | null;
  fromRelease: JournalRelease | null;
  toRelease: JournalRelease | null;
  /** `interrupted`: its master ended before it did. Null: it is under way. */
  outcome: string | null;
  /** It failed because a person gave it up. */
  aborted: boolean;
  /** Why it ended so; of one that began by itself and succeeded, why it began. */
  reason: string | null;
  /** The rollout that has gone back from it. */
  undoneBy: number | null;
  durationMs: number | null;
  p99BeforeMs: number | null;
  p99DuringMs: number | null;
  peakRssBytes: number | null;
  /** The last words of the worker that failed. */
  stderr: string[];
  /** All that the journal has of it, the oldest first. */
  entries: JournalEntry[];
}

/**
 * @param isRunning its last master runs: what has no end yet is under way, else it was interrupted
 * @returns the latest first
 */
export function rolloutsIn(entries: JournalEntry[], isRunning: boolean): PastRollout[] {
  const found = new Map<number, PastRollout>();
  let open: PastRollout | null = null;
  for (const entry of entries) {
    if (entry.type === 'master-started' || entry.type === 'master-ended') {
      if (open) interrupt(open, entry);
      open = null;
    }
    const rollout: PastRollout | undefined = 'rolloutId' in entry ? found.get(entry.rolloutId ?? 0) : undefined;
    rollout?.entries.push(entry);
    if (entry.type === 'rollout-begun') {
      open = begun(entry);
      found.set(entry.rolloutId, open);
    } else if (entry.type === 'rollout-ended') {
      // The entries of its beginning may have gone with the older file.
      const ended = rollout ?? beginningOf(entry);
      found.set(entry.rolloutId, Object.assign(ended, endOf(entry), { reason: entry.reason ?? ended.reason }));
      open = null;
    }
  }
  if (open && !isRunning) interrupt(open, null);
  for (const rollout of found.values()) noteUndone(rollout, found);
  return [...found.values()].sort((a, b) => b.id - a.id);
}

/** The generations of a master are counted anew: of two with that number, the later one is meant. */
function noteUndone({ id, kind, outcome, from }: PastRollout, found: Map<number, PastRollout>): void {
  if (kind !== 'rollback' || outcome !== 'succeeded' || from === null) return;
  const earlier = [...found.values()].filter((one) => one.id < id && one.to === from && one.outcome === 'succeeded');
  const undone = earlier.sort((a, b) => b.id - a.id)[0];
  if (undone) undone.undoneBy = id;
}

const nothingKnown = {
  ...{ to: null, toRelease: null, outcome: null, aborted: false, reason: null, undoneBy: null, durationMs: null },
  ...{ p99BeforeMs: null, p99DuringMs: null, peakRssBytes: null },
};

function begun(entry: EntryOf<'rollout-begun'>): PastRollout {
  const { rolloutId: id, at: startedAt, kind, source, from, fromRelease } = entry;
  return {
    id,
    startedAt,
    kind: kindOf(kind, source),
    source,
    from,
    fromRelease,
    ...nothingKnown,
    reason: entry.cause ?? null,
    stderr: [],
    entries: [entry],
  };
}

function beginningOf(entry: EntryOf<'rollout-ended'>): PastRollout {
  const startedAt = new Date(Date.parse(entry.at) - entry.durationMs).toISOString();
  const { rolloutId: id, source, from, fromRelease } = entry;
  return { id, startedAt, kind: '', source, from, fromRelease, ...nothingKnown, stderr: [], entries: [entry] };
}

function endOf(entry: EntryOf<'rollout-ended'>): Partial<PastRollout> {
  const { kind, source, outcome, aborted = false, reason, durationMs, from, to, fromRelease, toRelease } = entry;
  const { p99BeforeMs, p99DuringMs, peakRssBytes, stderr } = entry;
  return {
    ...{
      kind: isDeploy(kind, source, toRelease) ? 'deploy' : kindOf(kind, source),
      outcome,
      aborted,
      reason,
      durationMs,
      from,
      to,
      fromRelease,
      toRelease,
    },
    ...{ p99BeforeMs, p99DuringMs, peakRssBytes, stderr },
  };
}

/** By hand a reload goes to the folder; what it has brought in of the store was deployed. So it is told of old journals, too. */
const isDeploy = (kind: string, source: string, to: JournalRelease | null): boolean =>
  kind === 'reload' && source === 'command' && to !== null && IN_STORE.exec(to.path)?.[2]?.startsWith(to.id) === true;
/** `<state>/releases/<app>/<id>/<app>`. */
const IN_STORE = /\/releases\/([^/]+)\/([0-9a-f]+)\/\1$/;

const kindOf = (kind: string, source: string): string => (source === 'start' ? 'start' : kind);

function interrupt(rollout: PastRollout, by: EntryOf<'master-started'> | EntryOf<'master-ended'> | null): void {
  rollout.outcome = 'interrupted';
  rollout.reason =
    by?.type === 'master-ended'
      ? `its master ended before it did${by.reason === null ? '' : `: ${by.reason}`}`
      : 'its master was killed, or the host went down';
}
