/**
 * Runs in the master. When the load is judged, and who is told to give connections away for it. How many is `domain/balance.ts`'s word, and who gets them the
 * exchange's.
 *
 * Each worker says by itself what it has, at an instant of its own: put together such words are wrong where connections come and go by the hundred
 * in between. They only tell when to look: what is given away is judged by what all of them say at one time.
 */
import { due } from '../domain/balance.js';
import type { Routing } from '../domain/types.js';
import type { Members } from './members.js';
import { candidateOf } from './members.js';

/** After connections were asked for, so long until the load is judged anew, in ms: what was asked has arrived by then. */
const SETTLE_MS = 500;
/** Who has not counted by then is taken at its last word, in ms. */
const COUNT_MS = 250;

export class Balancer {
  /** Those whose count is awaited; null where nobody was asked. */
  private counting: Set<number> | null = null;
  private timer: NodeJS.Timeout | null = null;
  private isStopped = false;

  constructor(
    private readonly members: Members,
    private readonly routing: () => Routing,
  ) {}

  /** Something has changed. Has all workers count where it looks uneven, asks those that have more than their share, and judges again once that has been done. */
  judge(): void {
    if (this.timer || this.isStopped || this.givers().length === 0) return;
    const awake = this.awake();
    this.counting = new Set(awake.map(({ peer }) => peer.id));
    this.timer = setTimeout(this.give, COUNT_MS);
    for (const { peer } of awake) peer.sendCount();
  }

  /** The worker has said how many it has, or never will again. */
  counted(id: number): void {
    if (this.counting?.delete(id) && this.counting.size === 0) this.give();
    else this.judge();
  }

  stop(): void {
    this.isStopped = true;
  }

  private readonly give = (): void => {
    this.counting = null;
    clearTimeout(this.timer!);
    this.timer = setTimeout(() => {
      this.timer = null;
      this.judge();
    }, SETTLE_MS);
    if (!this.isStopped) for (const { id, count } of this.givers()) this.members.get(id)?.peer.sendGive(count);
  };

  private givers(): { id: number; count: number }[] {
    return due(this.awake().map(candidateOf), this.routing());
  }

  private awake(): ReturnType<Members['staying']> {
    return this.members.staying().filter(({ isStalled }) => !isStalled);
  }
}
