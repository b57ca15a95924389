/** Runs in the CLI. An entry of the journal as one line for people. */
import type { EntryOf, JournalEntry, JournalRelease } from '../../shared/journal-entry.js';
import { formatDuration } from '../../shared/units.js';
import { allOnOneLine } from './on-one-line.js';
import { styles } from './style.js';

/** On one line, whatever an app has thrown. */
export const flat = (text: string): string => allOnOneLine(text.replace(/\s*\n\s*/g, ' | '));

export function eventLine(app: string, entry: JournalEntry): string {
  const { red, yellow, green, dim } = styles(process.stdout);
  const colour = { bad: red, warning: yellow, good: green, plain: (text: string) => text }[toneOf(entry)];
  return `${dim(`[${dateTime(entry.at)}] ${app}:`)} ${colour(sentenceOf(entry))}`;
}

/** Local time, as people plan by it: `2026-11-26 02:15:19`. */
export function dateTime(at: string): string {
  const date = new Date(at);
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

export const releaseName = (release: JournalRelease | null): string => release?.id ?? '?';

export const memory = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MB`;

/** In ms, as a latency is told. */
export const latency = (ms: number): string => `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;

const BY: Record<string, (kind: string) => string> = {
  signal: (kind) => `${kind} by a signal`,
  watch: (kind) => `${kind} by a change of files`,
};

export function sentenceOf(entry: JournalEntry): string {
  switch (entry.type) {
    case 'master-started':
      return `master ${entry.masterPid} started (zdsup ${entry.version}${entry.daemon ? ', a daemon' : ''})${entry.killed === undefined ? '' : `; master ${entry.killed} before it was killed, or its host went down`}`;
    case 'master-ended':
      return `master ${entry.masterPid} ended: ${entry.how}${entry.reason === null ? '' : `, ${flat(entry.reason)}`}`;
    case 'rollout-begun': {
      const { rolloutId, kind, source, cause, from, fromRelease } = entry;
      const what = source === 'start' ? 'start' : (BY[source]?.(kind) ?? kind);
      return `rollout ${rolloutId} begun: ${what}${from === null ? '' : ` from generation ${from} (${releaseName(fromRelease)})`}${cause === undefined ? '' : `: ${flat(cause)}`}`;
    }
    case 'rollout-step':
      return `rollout ${entry.rolloutId}: ${flat(entry.message)}`;
    case 'verdict':
      return `rollout ${entry.rolloutId}: verdict ${entry.verdict}: ${flat(entry.reason)}`;
    case 'rollout-ended':
      return `rollout ${entry.rolloutId} ${entry.aborted ? 'aborted' : entry.outcome} after ${formatDuration(entry.durationMs)}${figures(entry)}${entry.reason === null ? '' : `: ${flat(entry.reason)}`}`;
    case 'event':
      return `${entry.kind === 'scaling' || entry.kind === 'scaled' ? 'scale: ' : ''}${flat(entry.message)}${entry.skipped ? ` (and ${entry.skipped} such events before it)` : ''}`;
    case 'gap':
      return `${entry.count} entries could not be written`;
  }
}

function figures({ p99BeforeMs: before, p99DuringMs: during, peakRssBytes: peak }: EntryOf<'rollout-ended'>): string {
  const known = [
    ...(before === null ? [] : [`p99 before ${latency(before)}`]),
    ...(during === null ? [] : [`p99 during ${latency(during)}`]),
    ...(peak === null ? [] : [`up to ${memory(peak)}`]),
  ];
  return known.length === 0 ? '' : ` (${known.join(', ')})`;
}

type Tone = 'bad' | 'warning' | 'good' | 'plain';

function toneOf(entry: JournalEntry): Tone {
  switch (entry.type) {
    case 'rollout-ended':
      return entry.outcome === 'succeeded' ? 'good' : 'bad';
    case 'master-ended':
      return entry.how === 'crashed' ? 'bad' : 'plain';
    case 'verdict':
      return entry.verdict === 'bad' ? 'bad' : 'plain';
    case 'rollout-step':
      return entry.step === 'failed' ? 'bad' : 'plain';
    case 'event':
      return entry.kind === 'crash-looping' ? 'bad' : WARNINGS.has(entry.kind) ? 'warning' : 'plain';
    case 'gap':
      return 'warning';
    case 'master-started':
      return entry.killed === undefined ? 'plain' : 'bad';
    case 'rollout-begun':
      return 'plain';
  }
}

const WARNINGS = new Set(['worker-exited', 'unresponsive', 'scale-failed', 'warning']);
