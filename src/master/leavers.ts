/**
 * Runs in the master. Workers whose app has asked to be replaced, `cluster.worker.disconnect()`. To the core they have gone, and their slot is filled
 * again; they serve until their successor does, then drain. Never forks, never decides who the successor is.
 */
import type { WorkerProcess } from './worker-process.js';

export class Leavers {
  private readonly drains = new Map<WorkerProcess, number>();

  add(worker: WorkerProcess, drainTimeoutMs: number): void {
    this.drains.set(worker, drainTimeoutMs);
  }

  /** `successor` accepts now. */
  replacedBy(successor: WorkerProcess | undefined): void {
    for (const worker of this.drains.keys()) {
      const { slot, generation } = worker.identity;
      if (slot === successor?.identity.slot && generation === successor.identity.generation) this.retire(worker, false);
    }
  }

  /** Whoever was to be their successor will not come. */
  generationGone(generation: number, stopping: boolean): void {
    for (const worker of this.drains.keys())
      if (worker.identity.generation === generation) this.retire(worker, stopping);
  }

  private retire(worker: WorkerProcess, closeIdle: boolean): void {
    worker.retire(this.drains.get(worker)!, closeIdle);
    this.drains.delete(worker);
  }
}
