/**
 * Runs in the master. The workers between which connections move, each with what is under way to it, and who of them could take a connection.
 * A book: it sends nothing, closes nothing, and only the exchange writes in it.
 */
import type { Candidate } from '../domain/receiver.js';
import type { Passed } from '../shared/messages.cjs';
import type { ConnectionHandle, Peer } from './peer.js';

/** A connection on its way. */
export interface Passage extends Passed {
  handle: ConnectionHandle;
  /** The worker that gave it away; null where the master has accepted it. */
  giver: Peer | null;
  /** Of its giver, which keeps its copy until it has been told that it is taken; null once it has. */
  seq: number | null;
  declinedBy: Set<number>;
}

export interface Offer {
  id: number;
  passage: Passage;
  sentAt: number;
  /** It is granted as soon as its giver has been told. */
  isClaimed: boolean;
  /** Whether it has come was asked: a worker without a free descriptor never sees it. */
  isAsked: boolean;
}

export interface Member {
  peer: Peer;
  /** As it said last, with what other workers have passed to it and it to them since. */
  connections: number;
  /** Of them, those that do not move. */
  fixed: number;
  /** Sent, and neither granted nor declined. */
  offers: Map<number, Offer>;
  queue: Passage[];
  /** It has not claimed in time: passed over until it says something. */
  isStalled: boolean;
  /** It drains, and gets back at most what was its own. */
  isLeaving: boolean;
}

export class Members {
  private readonly byId = new Map<number, Member>();

  /** Also one that was leaving, and comes back. */
  add(peer: Peer): void {
    const member = this.byId.get(peer.id);
    if (member) member.isLeaving = false;
    else
      this.byId.set(peer.id, {
        peer,
        connections: 0,
        fixed: 0,
        offers: new Map(),
        queue: [],
        isStalled: false,
        isLeaving: false,
      });
  }

  delete(id: number): void {
    this.byId.delete(id);
  }

  get(id: number): Member | undefined {
    return this.byId.get(id);
  }

  giverOf({ giver }: Passage): Member | undefined {
    return giver === null ? undefined : this.byId.get(giver.id);
  }

  all(): Member[] {
    return [...this.byId.values()];
  }

  staying(): Member[] {
    return this.all().filter(({ isLeaving }) => !isLeaving);
  }

  /** Those that it can be offered to; it goes back to its giver by another way. */
  able({ key, giver, declinedBy }: Passage): Member[] {
    return this.staying().filter(
      ({ peer }) => peer.id !== giver?.id && !declinedBy.has(peer.id) && peer.listensOn(key),
    );
  }

  /** Somebody who answers could take it instead of `member`. */
  hasOther(member: Member, passage: Passage): boolean {
    return this.able(passage).some((other) => other !== member && !other.isStalled);
  }

  /** Nobody else has room for it, or nobody else is there any more while its giver stays. */
  isLeftOver(passage: Passage): boolean {
    const giver = this.giverOf(passage);
    return passage.declinedBy.size > 0 || (giver !== undefined && !giver.isLeaving);
  }

  /** The worker that gave it away goes on serving, and can have it back. */
  isMissed(passage: Passage): boolean {
    const giver = this.giverOf(passage);
    if (giver === undefined || passage.declinedBy.has(giver.peer.id)) return false;
    return !giver.isLeaving && !giver.isStalled && giver.peer.listensOn(passage.key);
  }
}

/** What it has not claimed: that can still go elsewhere. */
export const unclaimed = ({ offers, queue }: Member): Passage[] => [
  ...[...offers.values()].filter(({ isClaimed }) => !isClaimed).map(({ passage }) => passage),
  ...queue,
];

const pendingOf = ({ offers, queue }: Member): number => offers.size + queue.length;

export const isBusy = (member: Member): boolean => pendingOf(member) > 0;

/** As the core sees it: what is under way to it counts as its own. */
export function candidateOf(member: Member): Candidate {
  const { peer, connections, fixed, isStalled } = member;
  const pending = pendingOf(member);
  return {
    id: peer.id,
    generation: peer.generation,
    slot: peer.slot,
    connections: connections + pending,
    fixed,
    pending,
    isStalled,
  };
}
