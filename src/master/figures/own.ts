/** Runs in the master. What it measures of itself, while figures are on: its heap, its event loop, its queue. */
import type { EventLoopUtilization } from 'node:perf_hooks';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { MasterFigures } from '../../shared/figures.js';

/** How often Node looks at the event loop, in native code, in ms: what it finds is by so much too long. */
const LOOK_MS = 20;
const NS_PER_MS = 1e6;

/** Of the one queue (supervisor.ts). */
export interface QueueDelay {
  measure(on: boolean): void;
  takeLongestMs(): number;
}

export class OwnFigures {
  private readonly delays = monitorEventLoopDelay({ resolution: LOOK_MS });
  private utilization: EventLoopUtilization | undefined;
  private last: Pick<MasterFigures, 'loop' | 'queueDelayMs'> | null = null;

  constructor(private readonly queue: QueueDelay) {}

  begin(): void {
    this.delays.enable();
    this.queue.measure(true);
    this.utilization = performance.eventLoopUtilization();
  }

  end(): void {
    this.delays.disable();
    this.queue.measure(false);
  }

  /** An interval is over. */
  turn(): void {
    this.last = this.look();
    this.utilization = performance.eventLoopUtilization();
    this.delays.reset();
  }

  /** Of the last whole interval. @param usage by pidusage, where that could be asked */
  shown(usage: { cpuPercent: number; rssBytes: number } | undefined): MasterFigures {
    const { rss, heapUsed } = process.memoryUsage();
    const { cpuPercent, rssBytes } = usage ?? { cpuPercent: 0, rssBytes: rss };
    return { cpuPercent, rssBytes, heapUsedBytes: heapUsed, ...(this.last ?? this.look()) };
  }

  private look(): Pick<MasterFigures, 'loop' | 'queueDelayMs'> {
    return {
      loop: {
        utilization: performance.eventLoopUtilization(this.utilization).utilization,
        delayP50Ms: this.delayMs(50),
        delayP99Ms: this.delayMs(99),
      },
      queueDelayMs: this.queue.takeLongestMs(),
    };
  }

  private delayMs(percentile: number): number {
    return this.delays.count === 0 ? 0 : Math.max(0, this.delays.percentile(percentile) / NS_PER_MS - LOOK_MS);
  }
}
