/**
 * Runs in the worker. Signals of a terminal or a service manager reach the whole process group: TERM, INT, HUP and QUIT
 * are swallowed here, because the master tells its workers what to do itself. Once the worker has drained, the
 * app's own SIGTERM handlers run.
 */
const SHIELDED: NodeJS.Signals[] = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'];

const shield = (): void => {};

/**
 * A signal's watcher is bound to `process.emit` as it is when the first listener is added: with another one in place for
 * that moment, deliveries end here and the app's listeners, added later, hear of none.
 */
export function shieldSignals(): void {
  const deliver = process.emit;
  process.emit = ((name: string | symbol, ...args: unknown[]) =>
    SHIELDED.includes(name as NodeJS.Signals) ||
    Reflect.apply(deliver, process, [name, ...args])) as unknown as typeof process.emit;
  for (const signal of SHIELDED) if (!process.listeners(signal).includes(shield)) process.on(signal, shield);
  process.emit = deliver;
  // An app that removes all listeners takes the watcher away, and the next signal would kill in mid-request.
  process.on('removeListener', restore);
}

function restore(name: string | symbol): void {
  if (!SHIELDED.includes(name as NodeJS.Signals) || process.listenerCount(name as NodeJS.Signals) > 0) return;
  process.removeListener('removeListener', restore);
  shieldSignals();
}

/** Does the app itself listen for it? */
export const isHeard = (signal: NodeJS.Signals): boolean =>
  process.listeners(signal).some((listener) => listener !== shield);

/** As if it had been delivered: to the app's handlers alone. Without one nothing happens. */
export function emitToTheApp(signal: NodeJS.Signals): void {
  if (!isHeard(signal)) return;
  (process as NodeJS.EventEmitter).emit(signal, signal, constantOf(signal));
}

function constantOf(signal: NodeJS.Signals): number {
  const { constants } = require('node:os') as typeof import('node:os'); // Late: most workers never hear of one.
  return constants.signals[signal];
}

/**
 * Runs the app's own handlers for the end: SIGTERM's, else SIGINT's (what PM2 sends). Without any the process exits 0,
 * its 'exit' listeners included. One that has not ended `killTimeoutMs` later is killed, also where no master is left to do it.
 */
export function endAsTheAppWishes(killTimeoutMs: number): void {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    if (!isHeard(signal)) continue;
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), killTimeoutMs).unref();
    letItSignalItself();
    process.emit(signal, signal);
    return;
  }
  process.exit(0);
}

/**
 * A handler that has done its work and takes itself away often sends the signal once more, to end as the sender wished (NestJS's shutdown hooks,
 * signal-exit). The shield would swallow it: it is lifted for that signal alone, and still holds against everybody else's.
 */
function letItSignalItself(): void {
  const kill = process.kill;
  process.kill = (pid, signal = 'SIGTERM') => {
    const name = SHIELDED.find((one) => one === signal || constantOf(one) === signal);
    if (pid === process.pid && name && !isHeard(name)) {
      process.removeListener('removeListener', restore);
      process.removeListener(name, shield);
    }
    return Reflect.apply(kill, process, [pid, signal]) as true;
  };
}
