/**
 * Runs in the master. The most memory that all workers had together while a rollout was under way: sampled from /proc, off the decision path. Not by
 * pidusage, which keeps a file open for each process that it was asked about.
 */
import { readFile } from 'node:fs/promises';

/** In ms. A host that is short of memory is not to be asked more often. */
const EVERY_MS = 1_000;

export class PeakMemory {
  private timer: NodeJS.Timeout | null = null;
  private peakBytes: number | null = null;
  private asking: Promise<void> | null = null;

  /** @param pids of the workers that live now */
  constructor(
    private readonly pids: () => number[],
    private readonly readRss: (pid: number) => Promise<number | null> = rssOf,
  ) {}

  begin(): void {
    this.end();
    this.peakBytes = null;
    this.timer = setInterval(() => void this.look(), EVERY_MS);
    this.timer.unref();
    void this.look();
  }

  /** Where something has just changed: a rollout may be over within less than a second. Settles when all have been asked. */
  look(): Promise<void> {
    if (this.timer === null) return Promise.resolve();
    this.asking ??= this.sum().finally(() => {
      this.asking = null;
    });
    return this.asking;
  }

  private async sum(): Promise<void> {
    const sizes = await Promise.all(this.pids().map(this.readRss));
    const known = sizes.filter((size) => size !== null);
    if (known.length === 0 || this.timer === null) return;
    const sum = known.reduce((total, size) => total + size, 0);
    this.peakBytes = Math.max(this.peakBytes ?? 0, sum);
  }

  /** @returns bytes; null where nobody could tell */
  end(): number | null {
    if (this.timer) clearInterval(this.timer);
    this.timer = null;
    return this.peakBytes;
  }
}

/** Null of one that has gone, and where there is no /proc. */
async function rssOf(pid: number): Promise<number | null> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  return kilobytes === undefined ? null : Number(kilobytes) * 1024;
}
