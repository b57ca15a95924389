/** How a worker is, in a word or two. Pure. */
import type { WorkerSnapshot } from '../../shared/snapshot.js';
import { grouped } from './format.js';
import type { Tone } from './marks.js';

/** @param now ms since 1970, by the master's clock */
export function workerWords({ state, unresponsive, respawnAt, recycling, drain }: WorkerSnapshot, now: number): string {
  if (unresponsive) return 'blocked';
  if (respawnAt !== undefined) return `again in ${Math.ceil(Math.max(0, Date.parse(respawnAt) - now) / 1_000)} s`;
  if (state === 'draining' && drain) return `draining, ${Math.ceil(drain.leftMs / 1_000)} s`;
  return recycling ? 'recycling' : state;
}

export function workerTone({ state, unresponsive }: WorkerSnapshot): Tone {
  if (unresponsive || state === 'waiting') return 'bad';
  if (state === 'active') return 'good';
  return state === 'parked' ? 'plain' : 'warn';
}

/** `63 active, 1 waiting`: the most frequent first. */
export function tallyOf(workers: WorkerSnapshot[]): string {
  const counts = new Map<string, number>();
  for (const { state, unresponsive } of workers) {
    const word = unresponsive ? 'blocked' : state;
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return [...counts]
    .sort(([, one], [, other]) => other - one)
    .map(([word, count]) => `${grouped(count)} ${word}`)
    .join(', ');
}
