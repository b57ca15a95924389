/**
 * Runs in the master. What workers that have ended had written last, for the report on a rollout or a scale that one of them has failed. Between two of
 * them nobody asks, and a crash loop goes on for ever: only the latest are kept.
 */

/** So many workers may end between one that fails and the end of what it fails. */
const KEPT = 50;

export class LastWords {
  private readonly byWorker = new Map<number, string[]>();

  note(worker: number, lines: string[]): void {
    this.byWorker.set(worker, lines);
    if (this.byWorker.size > KEPT) this.byWorker.delete(this.byWorker.keys().next().value!);
  }

  of(worker: number): string[] | undefined {
    return this.byWorker.get(worker);
  }

  clear(): void {
    this.byWorker.clear();
  }
}
