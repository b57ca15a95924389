/** A load, whatever its clients speak: they run until it is stopped, and a test waits for their answers. */
import { expect } from 'vitest';
import type { Tally } from './tally.js';
import { emptyTally, lostCount } from './tally.js';

interface Counting {
  answered: number;
}

export interface Load<T extends Counting = Tally> {
  readonly tally: T;
  /** Answers so far, for waiting until traffic flows. */
  reached(answered: number): Promise<void>;
  /** Lets each client finish the request it has under way, and gives the tally. */
  stop(): Promise<T>;
}

/** What each client of a load is handed. */
export interface Run<T extends Counting = Tally> {
  readonly tally: T;
  readonly isStopping: boolean;
  /** Said after each answer or loss: whoever waits for answers looks again. */
  counted(): void;
}

export const runClients = (count: number, client: (run: Run) => Promise<void>): Load =>
  runNumberedClients(count, emptyTally(), client);

/** As `runClients`, with another tally; each client is told its number, from 0. */
export function runNumberedClients<T extends Counting>(
  count: number,
  tally: T,
  client: (run: Run<T>, number: number) => Promise<void>,
): Load<T> {
  const waiters = new Set<() => void>();
  const run = {
    tally,
    isStopping: false,
    counted: () => {
      for (const look of waiters) look();
    },
  };
  const running = Array.from({ length: count }, (_, number) => client(run, number));
  return {
    tally,
    reached: (answered) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (tally.answered < answered) return;
          waiters.delete(look);
          resolve();
        };
        waiters.add(look);
        look();
      }),
    async stop() {
      run.isStopping = true;
      await Promise.all(running);
      return tally;
    },
  };
}

/** Stops the load once it has been answered `more` times from now; a single loss fails the test, and prints the tally. */
export async function expectNothingLost(load: Load, more = 0): Promise<Tally> {
  await load.reached(load.tally.answered + more);
  const tally = await load.stop();
  expect(lostCount(tally), JSON.stringify(tally.lost)).toBe(0);
  return tally;
}
