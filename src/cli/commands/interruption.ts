/**
 * Runs in the CLI. Until a deploy has asked for its rollout, whoever interrupts it has it end: nothing is brought in. The event loop
 * seldom turns while the folder is read, so a signal is heard late: the deploy looks whether one came before it asks, and keeps its listeners until then, since what
 * binds some for a moment meanwhile (a planner's orphan guard) would take the signal for its own and be gone before it is told.
 */
import { constants } from 'node:os';

const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;

export interface Interruption {
  /** Settles where none came before this was called; else the process has ended by then. */
  heard(): Promise<void>;
  /** From now on a signal is somebody else's. */
  end(): void;
}

/** @param leave tidies up, at once, and returns the last words */
export function endWhenInterrupted(leave: () => string): Interruption {
  const stop = (signal: NodeJS.Signals): void => {
    const cleared = process.stderr.isTTY ? '\r\x1b[K' : ''; // The terminal has written ^C.
    process.stderr.write(`${cleared}${leave()}\n`);
    process.exit(128 + constants.signals[signal]);
  };
  for (const name of ENDING) process.on(name, stop);
  return {
    async heard() {
      // The first may come in the turn that this was called in, behind the poll that would have found the signal.
      for (let turn = 0; turn < 2; turn++) await new Promise(setImmediate);
    },
    end() {
      for (const name of ENDING) process.off(name, stop);
    },
  };
}
