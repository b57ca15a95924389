/**
 * Runs in the master. When the load is judged, and who is told to give connections away for it. How many is `domain/balance.ts`'s word, and who gets them the
 * exchange's.
 */
import { due } from '../domain/balance.js';
import type { Routing } from '../domain/types.js';
import type { Members } from './members.js';
import { candidateOf } from './members.js';

/** After connections were asked for, so long until the load is judged anew, in ms: what was asked has arrived by then. */
const SETTLE_MS = 500;

export class Balancer {
  private settling: NodeJS.Timeout | null = null;
  private isStopped = false;

  constructor(
    private readonly members: Members,
    private readonly routing: () => Routing,
  ) {}

  /** Something has changed. Asks those that have more than their share to give some away, and judges again once that has been done. */
  judge(): void {
    if (this.settling || this.isStopped) return;
    const awake = this.members.staying().filter(({ isStalled }) => !isStalled);
    const givers = due(awake.map(candidateOf), this.routing());
    if (givers.length === 0) return;
    for (const { id, count } of givers) this.members.get(id)?.peer.sendGive(count);
    this.settling = setTimeout(() => {
      this.settling = null;
      this.judge();
    }, SETTLE_MS);
  }

  stop(): void {
    this.isStopped = true;
  }
}
