/**
 * Runs in the master. The word that a worker waits for which has given a connection away: it keeps its copy until it is told that the connection is taken
 * (it closes the copy) or untaken (it goes on with it). Each handoff gets one of the two, once.
 */
import type { Passage } from './members.js';
import type { Peer } from './peer.js';

export class Givers {
  private readonly untold = new WeakMap<Peer, Set<number>>();

  /** The handoff has come: its giver waits from now on. */
  waits(giver: Peer, seq: number): void {
    this.of(giver).add(seq);
  }

  isWaiting(giver: Peer, seq: number): boolean {
    return this.of(giver).has(seq);
  }

  /** @param told the word has gone out, or never will; at once where nobody waits for it */
  taken(passage: Passage, told: () => void = () => {}): void {
    const { giver, seq } = passage;
    if (giver === null || seq === null) {
      told();
      return;
    }
    passage.seq = null;
    this.of(giver).delete(seq);
    giver.sendTaken(seq, told);
  }

  /** Its giver goes on with its own copy; where nobody waits nothing is said. `stays`: it is not given away again. */
  untaken({ giver, seq }: Passage, stays: boolean): void {
    if (giver === null || seq === null) return;
    this.of(giver).delete(seq);
    giver.sendUntaken(seq, stays);
  }

  private of(giver: Peer): Set<number> {
    const known = this.untold.get(giver);
    if (known) return known;
    const fresh = new Set<number>();
    this.untold.set(giver, fresh);
    return fresh;
  }
}
