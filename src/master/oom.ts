/** Runs in the master. Where memory runs out, the kernel shall take a worker, which is respawned, and not the master. */
import { readFile, writeFile } from 'node:fs';

/** Added to the master's own score adjustment (proc(5): -1000 to 1000). */
const MORE_LIKELY = 200;

/** Raising it needs no privilege. Where /proc says no, or is not there, nothing is lost but the preference. */
export function preferForOom(pid: number): void {
  readFile('/proc/self/oom_score_adj', 'latin1', (error, own) => {
    if (error) return;
    const score = Math.min(1_000, Number(own) + MORE_LIKELY);
    writeFile(`/proc/${pid}/oom_score_adj`, String(score), () => {});
  });
}
