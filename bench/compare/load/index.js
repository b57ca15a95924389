// Runs in the benchmark's own process: starts a load process for each job, so that what the benchmark does meanwhile disturbs no client.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('main.js', import.meta.url));

/** Starts a job. `stop()` ends one that has no end of its own; both give its result. */
export function startLoad(job, options) {
  const child = fork(MAIN, { serialization: 'advanced', execArgv: [] });
  const result = Promise.race([
    once(child, 'message').then(([message]) => message),
    once(child, 'exit').then(([code, signal]) => {
      throw new Error(`the load process (${job}) ended with ${signal ?? `code ${code}`}`);
    }),
  ]);
  result.catch(() => {});
  child.send({ job, options });
  return {
    result,
    stop() {
      child.send('stop');
      return result;
    },
  };
}
