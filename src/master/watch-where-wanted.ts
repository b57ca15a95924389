/** Runs in the master. Loads what watches files once a config wants it: an app in production has no such thing. */
import type { WatchOptions } from './watch.js';

/** Looks at the end of each rollout, until it is wanted. */
export function watchWhereWanted(options: WatchOptions): void {
  let watches = false;
  options.effects.observers.add({
    rolloutEnded() {
      if (watches || (options.serving()?.plan.config.watch ?? false) === false) return;
      watches = true;
      import('./watch.js').then(
        ({ watchFiles }) => watchFiles(options),
        (error: Error) => options.warn(`files cannot be watched: ${error.message}`),
      );
    },
  });
}
