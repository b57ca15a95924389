/**
 * Runs in the master. Looks whether the folder that a generation runs from is still what it was. Whoever decides by it gets a look that begins
 * now; whoever only shows it may get the last one: a command in a loop must not take the master's time from its workers.
 */
import { fingerprint } from './fingerprint.js';
import type { Plan } from './plan.js';

type Looked = Pick<Plan, 'release' | 'entry' | 'baseline'>;

/**
 * A look stands for those who ask within so many times its own duration from its begin, so that looking takes a tenth of the master's time at most.
 * A walk over 600 files takes 20 ms of CPU; asked for ten times a second beside a storm of reloads, it kept a master from answering at all.
 */
const STANDS_FOR = 10;

interface Look {
  /** Null while it is under way. */
  standsUntil: number | null;
  done: Promise<boolean>;
}

export class ReleaseLooks {
  private readonly last = new WeakMap<Looked, Look>();

  constructor(
    private readonly read: (folder: string, entry: string) => Promise<string> = fingerprint,
    private readonly clock: () => number = () => performance.now(),
  ) {}

  /** A look that begins now: is the folder another than the plan was made of? Never rejects. */
  isModified(plan: Looked): Promise<boolean> {
    const startedAt = this.clock();
    const look: Look = { standsUntil: null, done: this.differs(plan) };
    this.last.set(plan, look);
    void look.done.then(() => {
      look.standsUntil = startedAt + STANDS_FOR * (this.clock() - startedAt);
    });
    return look.done;
  }

  /** As {@link isModified}, but of the look that is under way or was just taken, where there is one. */
  wasModified(plan: Looked): Promise<boolean> {
    const look = this.last.get(plan);
    const stands = look && (look.standsUntil === null || this.clock() < look.standsUntil);
    return stands ? look.done : this.isModified(plan);
  }

  private async differs(plan: Looked): Promise<boolean> {
    return (await this.read(plan.release.path, plan.entry)) !== plan.baseline;
  }
}
