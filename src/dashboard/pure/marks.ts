/** Which events are marked on the time line, in which words and tone; and which are worth being spoken. Pure. */
import type { ProgressKind } from '../../shared/control-protocol.js';
import type { LiveEvent } from '../../shared/dashboard-protocol.js';

export type Tone = 'good' | 'bad' | 'warn' | 'plain';

const TONES: Partial<Record<ProgressKind, Tone>> = {
  serving: 'good',
  soaked: 'good',
  recovered: 'good',
  promoting: 'good',
  stepping: 'good',
  failed: 'bad',
  'crash-looping': 'bad',
  'worker-exited': 'bad',
  'rolling-back': 'bad',
  unresponsive: 'bad',
  aborting: 'warn',
  paused: 'warn',
  warning: 'warn',
  'recycle-failed': 'warn',
  'recycling-paused': 'warn',
  stopping: 'warn',
};

export const toneOf = (kind: ProgressKind): Tone => TONES[kind] ?? 'plain';

const LABELS: Partial<Record<ProgressKind, string>> = {
  prepared: 'begins',
  held: 'held',
  paused: 'paused',
  promoting: 'promoted',
  serving: 'serves',
  failed: 'failed',
  aborting: 'aborted',
  'rolling-back': 'rolls back',
  'crash-looping': 'crash loop',
  recovered: 'recovered',
  scaling: 'scale',
};

/** Of equal words those that follow closely say nothing new. */
const SAME_FOR = 20;

export interface Mark {
  /** Ms since 1970. */
  at: number;
  label: string;
  tone: Tone;
}

/** Those between the two instants, oldest first. Of two that fall together the later one is kept: it says what came of it. */
export function marksOf(events: LiveEvent[], from: number, to: number, togetherMs: number): Mark[] {
  const marks: Mark[] = [];
  for (const { at: iso, kind, message } of events) {
    const at = Date.parse(iso);
    const label = LABELS[kind];
    if (label === undefined || !(at >= from && at <= to)) continue;
    const share = kind === 'held' ? /(\d+) %/.exec(message)?.[1] : undefined;
    const mark = { at, label: share === undefined ? label : `${share} %`, tone: toneOf(kind) };
    const last = marks.at(-1);
    if (last?.label === mark.label && at - last.at < togetherMs * SAME_FOR) continue; // Each slot says it.
    if (last && at - last.at < togetherMs) marks[marks.length - 1] = mark;
    else marks.push(mark);
  }
  return marks;
}

/** What single workers do in a rollout is shown, and not spoken: with 64 of them nobody could listen. */
const SILENT = new Set<ProgressKind>([
  'waiting',
  'worker-started',
  'worker-ready',
  'smoke',
  'warm-up',
  'worker-active',
  'worker-retired',
  'worker-ended',
  'worker-parked',
  'unparked',
  'recycling',
  'recycled',
  'draining',
  'drained',
]);

export const isSpoken = (kind: ProgressKind): boolean => !SILENT.has(kind);
