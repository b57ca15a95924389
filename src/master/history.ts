/** Runs in the master. Remembers the last exits and rollouts, for `describe`; bounded, whatever happens. */
import type { Fleet, Rollout } from '../domain/types.js';
import type { ExitSnapshot } from '../shared/description.js';
import type { RolloutSnapshot } from '../shared/snapshot.js';
import type { Observer, WorkerExit } from './effects.js';
import type { Time } from './snapshot.js';
import { rolloutSnapshot } from './snapshot.js';

const KEPT_EXITS = 10;
const KEPT_ROLLOUTS = 5;
/** Of each line that a worker wrote last to stderr, in characters. */
const KEPT_LINE_LENGTH = 300;

export class History implements Observer {
  /** The latest first. */
  readonly exits: ExitSnapshot[] = [];
  readonly rollouts: RolloutSnapshot[] = [];

  constructor(
    private readonly state: () => Fleet,
    private readonly time: Pick<Time, 'wallOf'>,
  ) {}

  /** Comes before the core hears of it: what the worker was told to do is in the fleet still. */
  workerExited({ id, slot, generation, pid, code, signal, error, stderr }: WorkerExit): void {
    const { state } = this.state().workers[id]?.status ?? {};
    this.exits.unshift({
      at: new Date().toISOString(),
      slot,
      generation,
      pid,
      code,
      signal,
      error: error ?? null,
      expected: state === 'draining' || state === 'killing',
      stderr: stderr.map((line) => line.slice(0, KEPT_LINE_LENGTH)),
    });
    this.exits.length = Math.min(this.exits.length, KEPT_EXITS);
  }

  rolloutEnded({ rollout }: { rollout: Rollout }): void {
    this.rollouts.unshift(rolloutSnapshot(rollout, this.time));
    this.rollouts.length = Math.min(this.rollouts.length, KEPT_ROLLOUTS);
  }
}
