/** Runs in the master. Keeps what the workers tell of themselves. */
import type { AppFigures, WorkerFigures } from '../../shared/figures.js';

export class FiguresKeeper {
  begin(): void {}

  end(): void {}

  /** Of the worker with that id. */
  ofWorker(_id: number): WorkerFigures | null {
    return null;
  }

  ofApp(): AppFigures | null {
    return null;
  }
}
