/**
 * Runs in the master, on Linux. CPU and memory of processes by proc(5). Keeps no file open: pidusage keeps one for each process
 * it was asked about, for 60 to 90 s, and a storm of reloads that is watched would use up the descriptors that workers are forked with.
 */
import { readFileSync } from 'node:fs';
import { uptime } from 'node:os';
import type { Usage } from './usage.js';

/** In a second, what proc(5) counts in: 100 on every architecture, whatever the kernel's own timer does. */
const TICKS = 100;
/** Two questions in quick succession are one sample: a tick more or less would be 100 %. In seconds. */
const SHORTEST_SAMPLE_S = 0.5;

interface Sample {
  startedAt: number;
  at: number;
  cpu: number;
  percent: number;
}

/** Of those asked about last; all in seconds since the host's boot. */
let samples = new Map<number, Sample>();

/** CPU is that since the last question, at first since the process's start; who has gone is left out. */
export function procUsageOf(pids: number[]): Map<number, Usage> {
  const found = new Map<number, Usage>();
  const next = new Map<number, Sample>();
  for (const pid of pids) {
    const look = lookAt(pid);
    if (!look) continue;
    const sample = sampleOf(look, samples.get(pid));
    next.set(pid, sample);
    found.set(pid, { cpuPercent: sample.percent, rssBytes: look.rssBytes });
  }
  samples = next;
  return found;
}

function sampleOf({ startedAt, at, cpu }: Omit<Sample, 'percent'>, known: Sample | undefined): Sample {
  const last = known?.startedAt === startedAt ? known : undefined; // Ids are used again.
  const from = last ?? { at: startedAt, cpu: 0 };
  const seconds = at - from.at;
  if (last && seconds < SHORTEST_SAMPLE_S) return last;
  return { startedAt, at, cpu, percent: seconds > 0 ? (100 * (cpu - from.cpu)) / seconds : 0 };
}

function lookAt(pid: number): (Omit<Sample, 'percent'> & { rssBytes: number }) | null {
  try {
    // The name, in parentheses, may hold anything.
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
      .replace(/^.*\) /s, '')
      .split(' ');
    const ticks = (field: number): number => Number(stat[field]) / TICKS;
    const rss = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
    return { startedAt: ticks(19), at: uptime(), cpu: ticks(11) + ticks(12), rssBytes: Number(rss?.[1] ?? 0) * 1024 };
  } catch {
    return null;
  }
}
