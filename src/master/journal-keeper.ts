/** Runs in the master. Watches what happens to its app and makes the journal's entries of it. Decides nothing, and writes no file itself. */
import { plural } from '../domain/names.js';
import type { Fleet, Rollout } from '../domain/types.js';
import type { Progress, ProgressKind } from '../shared/control-protocol.js';
import type { EntryOf, JournalRelease, NewEntry } from '../shared/journal-entry.js';
import type { Effects, Observer, RolloutEnd, ScaleEnd } from './effects.js';
import { Journal, pastAt } from './journal.js';
import type { VerdictNews } from './judge.js';
import { PeakMemory } from './peak-memory.js';
import type { Supervisor } from './supervisor.js';

/** What every worker goes through: the log has it. A journal that is to reach back for weeks leaves it out. */
const TOO_MUCH = new Set<ProgressKind>([
  ...(['accepted', 'worker-started', 'worker-ready', 'worker-active', 'worker-retired', 'worker-ended'] as const),
  ...(['smoke', 'warm-up', 'recycling', 'draining', 'drained', 'warning', 'verdict'] as const), // A verdict has an entry of its own.
]);
/** They are told of a worker or of the app, also where a rollout happens to be under way. */
const OF_NO_ROLLOUT = new Set<ProgressKind>([
  ...(['worker-exited', 'unresponsive', 'crash-looping', 'recovered', 'scaling', 'stopping'] as const),
  ...(['soaked', 'rolling-back', 'unparked', 'recycled', 'recycle-failed', 'recycling-paused'] as const),
]);
/** They come again and again while an app is ill. */
const REPEATED = new Set<ProgressKind>(['worker-exited', 'unresponsive', 'crash-looping', 'recovered']);
/** They come again and again while an app is well, and are counted apart: they push no crash out. */
const RECYCLED = new Set<ProgressKind>(['recycled', 'recycle-failed', 'recycling-paused']);
/** So many of either in a row, and one more for each so many ms: an app that crashes for a month pushes no rollout out of the journal. */
const BURST = 50;
const REFILL_MS = 6 * 60_000;
/** Of a worker's last words, in lines and in characters of each. */
const KEPT_LINES = 20;
const KEPT_LINE_LENGTH = 300;
/** Of a message: what an app throws may be of any length. In characters. */
const KEPT_MESSAGE_LENGTH = 2_000;

export interface KeeperOptions {
  append(entry: NewEntry): void;
  state(): Fleet;
  /** By the clock that decides, in ms. */
  now(): number;
  /** What a generation runs; undefined where that is not known yet, or no longer. */
  releaseOf(generation: number): JournalRelease | undefined;
  /** Where the latency is observed. */
  p99Of(rolloutId: number): { beforeMs: number | null; duringMs: number | null };
  memory?: PeakMemory;
}

/** Opens the journal of the app whose name this master has taken, numbers its rollouts on from there, and keeps it from now on. */
export function openJournal(
  path: string,
  { supervisor, effects }: { supervisor: Supervisor; effects: Effects },
  begun: Omit<EntryOf<'master-started'>, 'at' | 'type' | 'killed'>,
  failed: (why: string) => void,
): Journal {
  const journal = new Journal({ path, failed });
  const { lastRolloutId, killed } = pastAt(path);
  supervisor.continueAfter(lastRolloutId);
  journal.append({ type: 'master-started', ...begun, ...(killed === undefined ? {} : { killed }) });
  effects.observers.add(
    new JournalKeeper({
      append: (entry) => journal.append(entry),
      state: () => supervisor.state,
      now: () => supervisor.now(),
      releaseOf: (generation) => effects.plans.get(generation)?.release,
      p99Of: (rolloutId) => effects.p99s(rolloutId),
    }),
  );
  return journal;
}

export class JournalKeeper implements Observer {
  /** Of the generations of the rollout under way. */
  private releases = new Map<number, JournalRelease>();
  /** Of the rollout under way. The core may have begun the next one already when the end of the last is told. */
  private openId: number | null = null;
  private lastVerdict: string | null = null;
  private readonly ofIllness = new Bucket();
  private readonly ofRecycling = new Bucket();
  private readonly memory: PeakMemory;

  constructor(private readonly options: KeeperOptions) {
    this.memory = options.memory ?? new PeakMemory(() => livePids(options.state()));
  }

  rolloutBegun({ id, kind, source, cause, from }: Rollout): void {
    this.openId = id;
    this.releases = new Map();
    this.lastVerdict = null;
    this.memory.begin();
    const fromRelease = this.releaseOf(from);
    const why = cause === null ? {} : { cause: cause.slice(0, KEPT_MESSAGE_LENGTH) };
    this.options.append({ type: 'rollout-begun', rolloutId: id, kind, source, ...why, from, fromRelease });
  }

  progress({ kind, message, generation, slot }: Progress): void {
    if (generation !== undefined) this.releaseOf(generation); // A generation that is given up takes its plan along.
    if (kind.startsWith('worker-')) void this.memory.look();
    if (TOO_MUCH.has(kind)) return;
    const told = {
      message: message.slice(0, KEPT_MESSAGE_LENGTH),
      ...(this.openId === null ? {} : { rolloutId: this.openId }),
      ...(generation === undefined ? {} : { generation }),
      ...(slot === undefined ? {} : { slot }),
    };
    if (OF_NO_ROLLOUT.has(kind)) this.event(kind, told);
    else if (this.openId !== null)
      this.options.append({
        type: 'rollout-step',
        step: kind,
        ...told,
        rolloutId: this.openId,
        ...this.weightOf(kind),
      });
  }

  private event(kind: ProgressKind, told: { message: string }): void {
    const bucket = REPEATED.has(kind) ? this.ofIllness : RECYCLED.has(kind) ? this.ofRecycling : null;
    const skipped = bucket === null ? 0 : bucket.take(this.options.now());
    if (skipped !== null) this.options.append({ type: 'event', kind, ...told, ...(skipped === 0 ? {} : { skipped }) });
  }

  private weightOf(kind: ProgressKind): { weight?: number } {
    const weight = kind === 'held' ? this.options.state().rollout?.weight : null;
    return typeof weight === 'number' ? { weight } : {};
  }

  /** Once for each change: its figures move with every request. */
  verdict({ rolloutId, verdict, reason }: VerdictNews): void {
    if (verdict === this.lastVerdict) return;
    this.lastVerdict = verdict;
    this.options.append({ type: 'verdict', rolloutId, verdict, reason: reason.slice(0, KEPT_MESSAGE_LENGTH) });
  }

  rolloutEnded({ rollout, stderr }: RolloutEnd): void {
    const { id, kind, source, from, to, outcome, aborted, reason, startedAt } = rollout;
    this.openId = null;
    const { beforeMs, duringMs } = this.options.p99Of(id);
    this.options.append({
      type: 'rollout-ended',
      ...{ rolloutId: id, kind, source, outcome: outcome ?? 'failed' },
      ...(aborted ? { aborted } : {}),
      reason: reason === null ? null : reason.slice(0, KEPT_MESSAGE_LENGTH),
      durationMs: Math.max(0, Math.round(this.options.now() - startedAt)),
      ...{ from, to, fromRelease: this.releaseOf(from), toRelease: this.releaseOf(to) },
      ...{ p99BeforeMs: beforeMs, p99DuringMs: duringMs, peakRssBytes: this.memory.end() },
      stderr: stderr.slice(-KEPT_LINES).map((line) => line.slice(0, KEPT_LINE_LENGTH)),
    });
  }

  scaleEnded({ reason }: ScaleEnd): void {
    const { generations, serving } = this.options.state();
    const count = generations[serving ?? -1]?.slots.length ?? 0;
    const message =
      reason === null ? `${count} ${plural(count, 'worker')}` : `taken back: ${reason.slice(0, KEPT_MESSAGE_LENGTH)}`;
    this.options.append({ type: 'event', kind: reason === null ? 'scaled' : 'scale-failed', message });
  }

  holdStopped(message: string): void {
    this.options.append({ type: 'event', kind: 'warning', message });
  }

  private releaseOf(generation: number | null): JournalRelease | null {
    if (generation === null) return null;
    const found = this.options.releaseOf(generation);
    if (found && !this.releases.has(generation)) this.releases.set(generation, { id: found.id, path: found.path });
    return this.releases.get(generation) ?? null;
  }
}

/** What may be said of that which comes again and again. */
class Bucket {
  private tokens = BURST;
  private refilledAt: number | null = null;
  private skippedCount = 0;

  /** @returns so many before it were left out; null: this one is, too */
  take(now: number): number | null {
    this.refilledAt ??= now;
    const more = Math.floor((now - this.refilledAt) / REFILL_MS);
    this.refilledAt += more * REFILL_MS;
    this.tokens = Math.min(BURST, this.tokens + more);
    if (this.tokens === 0) {
      this.skippedCount += 1;
      return null;
    }
    this.tokens -= 1;
    const skipped = this.skippedCount;
    this.skippedCount = 0;
    return skipped;
  }
}

const livePids = ({ workers }: Fleet): number[] =>
  Object.values(workers).flatMap(({ pid }) => (pid === null ? [] : [pid]));
