/** Runs in the worker. Notices that the app's script is loaded: whatever it does by then, it waits for something. */

/** In ms. */
const WINDOW_MS = 100;
/** Share of a window. What loads modules is busy all of it, also where the host starves it: it would run if it could. */
const BUSY = 0.5;

/** Calls back once, at the end of the first window in which the event loop had more to wait for than to do. Keeps no script alive. */
export function onceIdle(idle: () => void): void {
  let before = performance.eventLoopUtilization();
  const timer = setInterval(() => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, before);
    before = now;
    if (utilization > BUSY) return;
    clearInterval(timer);
    idle();
  }, WINDOW_MS).unref();
}
