/**
 * Runs in the master. Notes in the state folder which release a later `zdsup start <name>` runs: what has proven itself, what was still on trial at a stop,
 * and not what did not come up. What cannot be noted is told, and keeps nothing from running.
 */
import { noteGood, noteNext, passOver } from '../releases/current.js';
import type { Effects, Observer } from './effects.js';

export interface NextStartOptions {
  appName: string;
  /** The state folder, absolute. */
  state: string;
  plans: Pick<Effects['plans'], 'get'>;
  say(message: string): void;
  warn(message: string): void;
}

export interface NextStart extends Observer {
  /** The first start has failed: one that was deployed while the app did not run is tried once. */
  passOver(release: { id: string }): void;
}

export function noteNextStart({ appName, state, plans, say, warn }: NextStartOptions): NextStart {
  const note = (what: string, write: () => void): void => {
    try {
      write();
    } catch (error) {
      warn(`${what} cannot be noted: ${(error as Error).message}`);
    }
  };
  return {
    proven(generation, leavesLoop) {
      const plan = plans.get(generation);
      if (!plan) return; // It has gone already, so nothing is to be started from it.
      note('which release was good last', () => noteGood(state, appName, plan.deployed, leavesLoop));
    },
    soakStopped(generation) {
      const deployed = plans.get(generation)?.deployed;
      if (!deployed) return; // What lies in a folder is what a start by name runs, as ever.
      note(`that the next start is to try release ${deployed.id}`, () => {
        noteNext(state, appName, deployed);
        say(`release ${deployed.id} was still in its soak: the next zdsup start ${appName} tries it`);
      });
    },
    passOver(release) {
      note(`that release ${release.id} did not come up`, () => {
        if (passOver(state, appName, release))
          warn(
            `release ${release.id} did not come up: the next zdsup start ${appName} runs what was good before it was deployed`,
          );
      });
    },
  };
}
