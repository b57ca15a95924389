/**
 * Runs in the master. Signals only enqueue: HUP reloads; USR1 has the log files opened anew; TERM, INT and QUIT stop; a second INT at least 1 s later ends at once.
 */
import { closeSync, openSync } from 'node:fs';

/** npm and a shell may both pass one Ctrl-C on: two within this time are one, in ms. */
const SAME_PRESS_MS = 1_000;
/** The kernel takes a terminal away in the moment after its HUP; so much later it has, in ms. */
const HANG_UP_MS = 100;

export function installSignals(on: {
  reload(): void;
  stop(signal: NodeJS.Signals): void;
  endAtOnce(): void;
  reopenLogs(): void;
}): void {
  const hadTerminal = hasTerminal();
  let interruptedAt: number | null = null;

  const hangUp = (): void => {
    if (!hadTerminal) on.reload();
    // The terminal or the ssh session is gone: nobody asked for a reload.
    else setTimeout(() => (hasTerminal() ? on.reload() : on.stop('SIGHUP')), HANG_UP_MS);
  };
  const interrupt = (): void => {
    const now = performance.now(); // A clock that is set makes no press shorter or longer.
    if (interruptedAt !== null && now - interruptedAt >= SAME_PRESS_MS) on.endAtOnce();
    else if (interruptedAt === null) {
      interruptedAt = now;
      on.stop('SIGINT');
    }
  };
  const handlers: [NodeJS.Signals, () => void][] = [
    ['SIGHUP', hangUp],
    ['SIGINT', interrupt],
    ['SIGTERM', () => on.stop('SIGTERM')],
    ['SIGQUIT', () => on.stop('SIGQUIT')],
    ['SIGUSR1', on.reopenLogs],
    // The master cannot replace itself yet; unheard, it would end the master.
    ['SIGUSR2', () => {}],
  ];
  for (const [signal, handler] of handlers) process.on(signal, handler); // To the end: unheard, one would change the exit status.
}

function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}
