/**
 * Runs in the master of a daemon, and only until the app serves: tells the command that has started it how far it is, over
 * the IPC channel between the two. A command that has gone (Ctrl-C, a closed terminal) is no loss.
 */
import type { Progress } from '../shared/control-protocol.js';
import { failedResult } from '../shared/control-protocol.js';
import type { DaemonAnswer, StartResult } from '../shared/daemon.js';
import type { ErrorReport } from '../shared/errors.js';
import { failure } from './commands/rollouts.js';
import type { Observer } from './effects.js';

export class Starter {
  private done = false;
  private readonly startedAt = Date.now();

  /** To be told of the first rollout. */
  observerFor(app: string, logFile: string): Observer {
    return {
      progress: (progress: Progress) => this.tell(progress),
      rolloutEnded: (end) => {
        if (end.rollout.outcome === 'failed') {
          this.finish({ ...failure(end), app });
          return;
        }
        this.finish({
          type: 'result',
          ok: true,
          exitStatus: 0,
          command: 'start',
          app,
          masterPid: process.pid,
          generation: end.rollout.to,
          logFile,
          durationMs: Date.now() - this.startedAt,
          message: `runs as a daemon (master ${process.pid})`,
        });
      },
    };
  }

  /** It could not even begin. */
  failed(app: string, error: ErrorReport): void {
    this.finish({ ...failedResult(error), app });
  }

  private finish(result: StartResult): void {
    if (this.done) return;
    this.tell(result, () => process.connected && process.disconnect());
    this.done = true;
  }

  private tell(answer: DaemonAnswer, sent: () => void = () => {}): void {
    if (!this.done && process.connected) process.send?.(answer, undefined, undefined, sent);
  }
}
