/** Runs in the master. CPU and memory of the workers, by pidusage; loaded once the app serves. */
export interface Usage {
  cpuPercent: number;
  rssBytes: number;
}

/**
 * Loads pidusage and lets it ask the kernel's constants, once the app serves: it spawns `getconf` for them, which a status
 * on a starved host at night should not have to. Never rejects.
 */
export async function prepareUsage(): Promise<void> {
  await usageOf([process.pid]);
}

/**
 * pidusage keeps a file open for each process it was asked about, 60 to 90 s by default: a storm of reloads that is watched would use up
 * the descriptors that workers are forked with. In ms; CPU is that since the last question within it, else since the start.
 */
const REMEMBERED_MS = 5_000;

/** One sample for all of them; a process that has gone meanwhile is left out. Never rejects. */
export async function usageOf(pids: number[]): Promise<Map<number, Usage>> {
  const found = new Map<number, Usage>();
  if (pids.length === 0) return found;
  const { default: pidusage } = await import('pidusage');
  const ask = async (asked: number | number[]): Promise<void> => {
    const stats = await (
      pidusage as (
        pids: number[],
        options: object,
      ) => Promise<Record<string, { cpu: number; memory: number } | undefined>>
    )(Array.isArray(asked) ? asked : [asked], { maxage: REMEMBERED_MS });
    for (const [pid, stat] of Object.entries(stats))
      if (stat) found.set(Number(pid), { cpuPercent: stat.cpu, rssBytes: stat.memory });
  };
  // One that has gone fails the whole call: then each is asked by itself.
  await ask(pids).catch(() => Promise.all(pids.map((pid) => ask(pid).catch(() => {}))));
  return found;
}
