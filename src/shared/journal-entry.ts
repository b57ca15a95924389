/**
 * What the journal of an app holds: one JSON object a line, written by its master. The shapes, and the judge of what such a file
 * holds. By hand: the schema library would cost `zdsup history` 14 ms.
 */

/** What a generation runs. Of one that was deployed, `id` is the release's. */
export interface JournalRelease {
  id: string;
  path: string;
}

export type JournalEntry = { /** ISO 8601 instant. */ at: string } & (
  | {
      type: 'master-started';
      masterPid: number;
      version: string;
      daemon: boolean;
      /** The master before it, which has said no word of its end. */
      killed?: number;
    }
  | { type: 'master-ended'; masterPid: number; how: 'stopped' | 'crashed'; reason: string | null }
  | {
      type: 'rollout-begun';
      rolloutId: number;
      /** `reload`, `restart`, ... */
      kind: string;
      /** Who asked for it: `start`, `command`, `signal`, ... */
      source: string;
      /** Why, where it began by itself. */
      cause?: string;
      from: number | null;
      fromRelease: JournalRelease | null;
    }
  /** `step`: its kind of progress, such as `prepared`, `held`, `serving`. */
  | { type: 'rollout-step'; rolloutId: number; step: string; message: string; generation?: number; weight?: number }
  /** Of the canary, or of the soak after it; written when it changes. */
  | { type: 'verdict'; rolloutId: number; verdict: string; reason: string }
  | RolloutEnded
  /** What befell a worker, a scale, a stop; `rolloutId` where a rollout was under way. `skipped`: so many like it before were left out. */
  | {
      type: 'event';
      kind: string;
      message: string;
      rolloutId?: number;
      generation?: number;
      slot?: number;
      skipped?: number;
    }
  /** So many entries before could not be written: the disk was full, say. */
  | { type: 'gap'; count: number }
);

type RolloutEnded = {
  type: 'rollout-ended';
  rolloutId: number;
  kind: string;
  source: string;
  /** `succeeded`, `failed`, ... */
  outcome: string;
  /** It failed because a person gave it up. */
  aborted?: true;
  reason: string | null;
  durationMs: number;
  from: number | null;
  to: number | null;
  fromRelease: JournalRelease | null;
  toRelease: JournalRelease | null;
  /** The serving generation's, shortly before; null where nobody measured. */
  p99BeforeMs: number | null;
  p99DuringMs: number | null;
  /** The most that all workers had together, by samples. */
  peakRssBytes: number | null;
  /** The last words of the worker that failed. */
  stderr: string[];
};

export type EntryOf<T extends JournalEntry['type']> = Extract<JournalEntry, { type: T }>;

/** Without its instant: the journal has it. */
export type NewEntry = JournalEntry extends infer E ? (E extends JournalEntry ? Omit<E, 'at'> : never) : never;

type Judge = (value: unknown) => boolean;
const isText: Judge = (value) => typeof value === 'string';
const isNumber: Judge = (value) => typeof value === 'number' && Number.isFinite(value);
/** The next ones are to be numbers as well, whatever is in the file. */
const MAX_ID = 1e12;
const isId: Judge = (value) => Number.isInteger(value) && (value as number) > 0 && (value as number) <= MAX_ID;
const orNull =
  (judge: Judge): Judge =>
  (value) =>
    value === null || judge(value);
const isRelease: Judge = (value) =>
  typeof value === 'object' &&
  value !== null &&
  isText((value as JournalRelease).id) &&
  isText((value as JournalRelease).path);

/** What a reader relies on. Keys that a newer zdsup has added are let be. */
const JUDGES: { [T in JournalEntry['type']]: Record<string, Judge> } = {
  'master-started': { masterPid: isNumber, version: isText },
  'master-ended': { masterPid: isNumber, how: isText, reason: orNull(isText) },
  'rollout-begun': {
    ...{ rolloutId: isId, kind: isText, source: isText },
    ...{ from: orNull(isNumber), fromRelease: orNull(isRelease) },
  },
  'rollout-step': { rolloutId: isId, step: isText, message: isText },
  verdict: { rolloutId: isId, verdict: isText, reason: isText },
  'rollout-ended': {
    ...{ rolloutId: isId, kind: isText, source: isText, outcome: isText, reason: orNull(isText), durationMs: isNumber },
    ...{ from: orNull(isNumber), to: orNull(isNumber), fromRelease: orNull(isRelease), toRelease: orNull(isRelease) },
    ...{ p99BeforeMs: orNull(isNumber), p99DuringMs: orNull(isNumber), peakRssBytes: orNull(isNumber) },
    stderr: (value) => Array.isArray(value) && value.every(isText),
  },
  event: { kind: isText, message: isText },
  gap: { count: isNumber },
};

/** Null where the line is none. One of a type that a newer zdsup has added is none either. */
export function parseEntry(line: string): JournalEntry | null {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null) return null;
  const entry = value as Record<string, unknown>;
  if (!isText(entry.at) || Number.isNaN(Date.parse(entry.at as string)) || !isText(entry.type)) return null;
  if (!Object.hasOwn(JUDGES, entry.type as string)) return null;
  const judges = JUDGES[entry.type as JournalEntry['type']];
  return Object.entries(judges).every(([key, judge]) => judge(entry[key])) ? (entry as unknown as JournalEntry) : null;
}

export interface JournalText {
  /** The oldest first. */
  entries: JournalEntry[];
  /** Lines that cannot be read and should be. What a master that was killed has cut short is none of them. */
  faults: number;
}

/** @param text of one file, or of several one after the other */
export function parseJournal(text: string): JournalText {
  const lines = text.split('\n');
  const unfinished = lines.pop();
  const found: JournalText = { entries: [], faults: 0 };
  lines.forEach((line, index) => {
    if (line === '') return;
    const entry = parseEntry(line);
    if (entry !== null) found.entries.push(entry);
    else if (!isCutShort(lines[index + 1])) found.faults += 1;
  });
  const last = unfinished === undefined || unfinished === '' ? null : parseEntry(unfinished);
  if (last !== null) found.entries.push(last); // Only its newline is missing.
  return found;
}

/** The next master has gone on behind it. */
const isCutShort = (next: string | undefined): boolean =>
  next !== undefined && parseEntry(next)?.type === 'master-started';

/** The highest id of a rollout in it; 0 where there is none. */
export const lastRolloutId = ({ entries }: JournalText): number =>
  entries.reduce((highest, entry) => Math.max(highest, 'rolloutId' in entry ? (entry.rolloutId ?? 0) : 0), 0);

/** The process id of the last master in it, where that has said no word of its end. */
export function lastKilled({ entries }: JournalText): number | undefined {
  const last = entries.findLast((entry) => entry.type === 'master-started' || entry.type === 'master-ended');
  return last?.type === 'master-started' ? last.masterPid : undefined;
}
