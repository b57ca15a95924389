/**
 * Runs in the worker. By how much its event loop is late, by a timer of its own: `monitorEventLoopDelay` of node:perf_hooks forgets its last look with each
 * reset, and so a block that begins within 20 ms of it; and to load it costs a serving worker some ms.
 */

/** How often the event loop is looked at, in ms. */
const LOOK_MS = 20;

// Kept from before the app runs: it may put another one in its place.
const nowMs = performance.now.bind(performance);

export class LoopDelay {
  private looking: NodeJS.Timeout | null = null;
  private lookedAt = 0;
  /** What is above the pause between two looks, in ms. */
  private delaysMs: number[] = [];

  begin(): void {
    if (this.looking) return;
    this.lookedAt = nowMs();
    this.delaysMs = [];
    this.looking = setInterval(() => this.look(), LOOK_MS).unref();
  }

  end(): void {
    if (this.looking) clearInterval(this.looking);
    this.looking = null;
  }

  /** Of each look since they were taken last, the shortest first: one at least, for this is a look too; none where nobody looks. In ms. */
  take(): number[] {
    if (!this.looking) return [];
    this.look();
    const taken = this.delaysMs.sort((one, other) => one - other);
    this.delaysMs = [];
    return taken;
  }

  private look(): void {
    const now = nowMs();
    this.delaysMs.push(Math.max(0, now - this.lookedAt - LOOK_MS));
    this.lookedAt = now;
  }
}
