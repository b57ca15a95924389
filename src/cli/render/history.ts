/** Runs in the CLI. Rollouts for people: a table of them, and one of them step by step. */
import type { JournalEntry, JournalRelease } from '../../shared/journal-entry.js';
import type { PastRollout } from '../../shared/rollout-history.js';
import { formatDuration } from '../../shared/units.js';
import { dateTime, flat, latency, memory, releaseName, sentenceOf } from './journal-entry.js';
import { inLines } from './on-one-line.js';
import { styles } from './style.js';
import { table } from './table.js';

const HEADINGS = ['id', 'when', 'kind', 'release', 'outcome', 'took', 'p99', 'memory', 'reason'];
/** Dropped in this order, until the table fits. */
const LEAST_WANTED = ['memory', 'p99', 'took', 'kind'];
/** A reason has this much room at least, before a column is dropped for it. */
const REASON_COLUMNS = 24;

/** @param columns of the terminal; undefined where it is none: the reasons are whole then */
export function renderHistory(app: string, rollouts: PastRollout[], now: number, columns?: number): string {
  const { bold } = styles(process.stdout);
  if (rollouts.length === 0) return `${bold(app)}  no rollout is in its journal`;
  const rows = rollouts.map((rollout) => row(rollout, now));
  return `${bold(app)}\n${fitted(rows, columns ?? Number.POSITIVE_INFINITY)}`;
}

function fitted(rows: string[][], columns: number): string {
  const dropped = new Set<string>();
  for (const next of ['', ...LEAST_WANTED]) {
    dropped.add(next);
    const kept = (cells: string[]): string[] => cells.filter((_, index) => !dropped.has(HEADINGS[index]!));
    const bare = (cells: string[]): string[] => kept(cells).slice(0, -1);
    const width = Math.max(
      ...table(bare(HEADINGS), rows.map(bare))
        .split('\n')
        .map(({ length }) => length),
    );
    const room = columns - width - 2;
    if (room < REASON_COLUMNS && next !== LEAST_WANTED.at(-1)) continue;
    const cut = rows.map((cells) => [...kept(cells).slice(0, -1), cutTo(cells.at(-1)!, Math.max(room, 8))]);
    return table(kept(HEADINGS), cut);
  }
  return '';
}

const cutTo = (text: string, width: number): string => (text.length <= width ? text : `${text.slice(0, width - 3)}...`);

function row(rollout: PastRollout, now: number): string[] {
  const { id, kind, startedAt, reason, durationMs, peakRssBytes } = rollout;
  return [
    String(id),
    `${formatDuration(Math.max(0, now - Date.parse(startedAt)))} ago`,
    kind,
    releases(rollout),
    outcomeOf(rollout),
    durationMs === null ? '-' : formatDuration(durationMs),
    p99(rollout) ?? '-',
    peakRssBytes === null ? '-' : memory(peakRssBytes),
    flat(reason ?? ''),
  ];
}

const outcomeOf = ({ outcome, aborted, undoneBy }: PastRollout): string =>
  undoneBy === null ? (aborted ? 'aborted' : (outcome ?? 'under way')) : `${outcome}, undone by ${undoneBy}`;

function releases({ from, to, fromRelease, toRelease }: PastRollout): string {
  const coming = to === null && toRelease === null ? '?' : releaseName(toRelease);
  return from === null && fromRelease === null ? coming : `${releaseName(fromRelease)} → ${coming}`;
}

function p99({ p99BeforeMs: before, p99DuringMs: during }: PastRollout): string | null {
  if (before === null && during === null) return null;
  return `${before === null ? '?' : latency(before)} → ${during === null ? '?' : latency(during)}`;
}

export function renderRollout(app: string, rollout: PastRollout): string {
  const { bold, red, green, dim } = styles(process.stdout);
  const { id, kind, source, startedAt, outcome, reason, durationMs, peakRssBytes, stderr, entries } = rollout;
  const colour = outcome === null ? (text: string) => text : outcome === 'succeeded' ? green : red;
  const rows: [name: string, value: string | null][] = [
    ['kind', source === 'start' || source === 'command' ? kind : `${kind}, by ${source}`],
    ['begun', dateTime(startedAt)],
    ['from', side(rollout.from, rollout.fromRelease)],
    ['to', side(rollout.to, rollout.toRelease)],
    ['outcome', colour(outcomeOf(rollout))],
    [outcome === 'succeeded' ? 'because' : 'reason', reason === null ? null : flat(reason)],
    ['took', durationMs === null ? null : formatDuration(durationMs)],
    ['p99 before → during', p99(rollout)],
    ['peak memory', peakRssBytes === null ? null : `${memory(peakRssBytes)}, of all workers together`],
  ];
  const shown = rows.filter((one): one is [string, string] => one[1] !== null);
  const width = Math.max(...shown.map(([name]) => name.length));
  return [
    bold(`${app}, rollout ${id}`),
    ...shown.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`),
    ...(stderr.length === 0 ? [] : ['', bold('last words'), ...stderr.map((line) => dim(`  ${inLines(line)}`))]),
    '',
    bold('steps'),
    ...entries.map((entry) => `  ${step(entry, startedAt)}`),
  ].join('\n');
}

/** A generation, and what it runs; null where there is none. */
function side(generation: number | null, release: JournalRelease | null): string | null {
  if (generation === null) return null;
  return `generation ${generation}${release === null ? '' : `, release ${release.id} (${release.path})`}`;
}

function step(entry: JournalEntry, startedAt: string): string {
  const after = Math.max(0, Date.parse(entry.at) - Date.parse(startedAt));
  return `${`+${formatDuration(after)}`.padStart(10)}  ${sentenceOf(entry).replace(/^rollout \d+:? /, '')}`;
}
