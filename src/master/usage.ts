/** Runs in the master. CPU and memory of the workers: of the kernel on Linux, by pidusage elsewhere. */
import { procUsageOf } from './proc-usage.js';

export interface Usage {
  cpuPercent: number;
  rssBytes: number;
}

const isLinux = process.platform === 'linux';

/**
 * Loads pidusage and lets it ask the kernel's constants, once the app serves: it spawns processes for them, which a status
 * on a starved host at night should not have to. Never rejects.
 */
export async function prepareUsage(): Promise<void> {
  if (!isLinux) await usageOf([process.pid]);
}

/** One sample for all of them; a process that has gone meanwhile is left out. Never rejects. */
export async function usageOf(pids: number[]): Promise<Map<number, Usage>> {
  if (isLinux) return procUsageOf(pids);
  const found = new Map<number, Usage>();
  if (pids.length === 0) return found;
  const { default: pidusage } = await import('pidusage');
  const ask = async (asked: number | number[]): Promise<void> => {
    const stats = await (
      pidusage as (pids: number[]) => Promise<Record<string, { cpu: number; memory: number } | undefined>>
    )(Array.isArray(asked) ? asked : [asked]);
    for (const [pid, stat] of Object.entries(stats))
      if (stat) found.set(Number(pid), { cpuPercent: stat.cpu, rssBytes: stat.memory });
  };
  // One that has gone fails the whole call: then each is asked by itself.
  await ask(pids).catch(() => Promise.all(pids.map((pid) => ask(pid).catch(() => {}))));
  return found;
}
