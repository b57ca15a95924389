/**
 * Runs in the master. Connections on their way from one worker to another, or from the master to a worker: holds a copy of each until its
 * receiver owns it, picks the receiver, and evens out how many each worker has. Never reads from one.
 *
 * A connection is offered to one worker at a time. Who gets it claims it, and owns it once that is granted; who is too late, because it was
 * blocked or stopped meanwhile, finds it given to another one and closes its copy unread. So a worker that dies or hangs with an offer unread
 * costs nothing, and no two processes ever read from one connection.
 */
import { neediest, surpluses } from '../domain/balance.js';
import type { Receiver, SmoothState } from '../domain/routing.js';
import { FRESH, pickByAddress, pickByWeight } from '../domain/routing.js';
import type { Routing } from '../domain/types.js';
import type { Passed } from '../shared/messages.cjs';

/** Offers that a worker may have open, unread or claimed; the others wait here, where they can be sent elsewhere at once. */
const WINDOW = 4;
/**
 * A worker that has not claimed an offer for this long is passed over for a while, in ms; on a host where claims take their time, four times
 * as long as they usually take.
 */
const CLAIM_MS = 250;
const USUAL_CLAIMS = 4;
/** How much the last claim counts in what is usual. */
const LAST_CLAIM = 0.1;
/** Where every worker has declined, the connection is offered again after this long, in ms. */
const RETRY_MS = 100;
/** After connections were asked for, so long until the load is judged anew, in ms: what was asked has arrived by then. */
const SETTLE_MS = 500;
/** So many may wait for a worker at one time. More stay with the worker that has them. */
const MOST_WAITING = 1_000;

/** A connection as libuv has it. */
export interface ConnectionHandle {
  close(): void;
  getpeername?(out: object): number;
}

/** What the exchange needs of a worker. */
export interface Peer extends Receiver {
  listensOn(key: string): boolean;
  sendTake(offer: { id: number; fresh: boolean; stays: boolean } & Passed, handle: ConnectionHandle): void;
  sendGrant(offerId: number): void;
  sendRevoke(offerId: number): void;
  /** Has it come? Where not, it is declined. */
  sendTakeAsked(offerId: number): void;
  /** `sent`: it has gone out, or never will. */
  sendTaken(seq: number, sent: () => void): void;
  /** `stays`: it is not given away again. */
  sendUntaken(seq: number, stays: boolean): void;
  sendGive(count: number): void;
}

interface Passage extends Passed {
  handle: ConnectionHandle;
  /** The worker that gave it away; null where the master has accepted it. */
  giver: Peer | null;
  /** Of its giver, which keeps its copy until it has been told that it is taken; null once it has. */
  seq: number | null;
  declinedBy: Set<number>;
}

interface Offer {
  id: number;
  passage: Passage;
  sentAt: number;
  /** It is granted as soon as its giver has been told. */
  isClaimed: boolean;
  /** Whether it has come was asked: a worker without a free descriptor never sees it. */
  isAsked: boolean;
}

interface Member {
  peer: Peer;
  /** As it said last, with what has come and gone since. */
  connections: number;
  /** Sent, and neither granted nor declined. */
  offers: Map<number, Offer>;
  queue: Passage[];
  /** It has not claimed in time: passed over until it says something. */
  isStalled: boolean;
  /** It drains, and gets back at most what was its own. */
  isLeaving: boolean;
}

export class Exchange {
  private readonly members = new Map<number, Member>();
  /** Nobody is there to take them. */
  private waiting: Passage[] = [];
  private routing: Routing = { mode: 'direct', sticky: false, weights: {} };
  private smooth: SmoothState = FRESH;
  private nextOfferId = 1;
  /** Handoffs that their givers wait for a word about. */
  private readonly untold = new WeakMap<Peer, Set<number>>();
  /** What a claim takes these days, in ms. */
  private usualClaimMs = 0;
  private timer: NodeJS.Timeout | null = null;
  /** The load is judged then: not before what was asked for has arrived. */
  private judging: NodeJS.Timeout | null = null;
  private stopping = false;

  /** @param isOpen is there such a listener still? */
  constructor(private readonly isOpen: (key: string) => boolean = () => true) {}

  /** The worker takes connections from now on. */
  join(peer: Peer): void {
    this.members.set(peer.id, {
      peer,
      connections: 0,
      offers: new Map(),
      queue: [],
      isStalled: false,
      isLeaving: false,
    });
    this.placeWaiting();
    this.balance();
  }

  /** It has opened one more listener. */
  opened(): void {
    if (this.waiting.length > 0) this.placeWaiting();
  }

  /** The worker drains: what it has not claimed goes to others. Called before it is told. */
  leave(id: number): void {
    const member = this.members.get(id);
    if (!member || member.isLeaving) return;
    member.isLeaving = true;
    if (this.stopping) {
      // Nobody else is there: what is under way to it is answered before it ends, for it reads its channel in order.
      for (const passage of member.queue.splice(0)) this.send(member, passage);
      return;
    }
    const passages = unclaimed(member);
    for (const offer of [...member.offers.values()]) if (!offer.isClaimed) member.offers.delete(offer.id);
    member.queue = [];
    this.placeAll([...passages, ...this.waiting.splice(0)]);
  }

  /** The process has ended. What it was offered and was not granted is still here. */
  gone(id: number): void {
    const member = this.members.get(id);
    if (!member) return;
    this.members.delete(id);
    const passages = [...[...member.offers.values()].map(({ passage }) => passage), ...member.queue];
    if (this.stopping) for (const passage of passages) this.drop(passage);
    else this.placeAll(passages);
  }

  route(routing: Routing): void {
    this.routing = routing;
    this.balance();
  }

  /** At a stop. Whoever waits for a worker waits for nobody. */
  stop(): void {
    this.stopping = true;
    for (const passage of this.waiting.splice(0)) this.drop(passage);
  }

  /** The listener is closed: nobody will ever take what waits for it. */
  closed(key: string): void {
    const [lost, kept] = [this.waiting.filter((one) => one.key === key), this.waiting.filter((one) => one.key !== key)];
    this.waiting = kept;
    for (const passage of lost) this.drop(passage);
  }

  /** Nobody will take it: a giver that waits for a word has its own copy still. */
  private drop({ giver, seq, handle }: Passage): void {
    handle.close();
    if (giver === null || seq === null) return;
    this.untoldOf(giver).delete(seq);
    giver.sendUntaken(seq, true);
  }

  /** A worker gives a connection away. */
  handOff(giver: Peer, seq: number, passed: Passed, handle: ConnectionHandle): void {
    const others = this.staying().filter(({ peer }) => peer.id !== giver.id);
    const nobodyListens = others.length > 0 && !others.some(({ peer }) => peer.listensOn(passed.key));
    if (this.stopping || nobodyListens || this.waiting.length >= MOST_WAITING) {
      handle.close();
      giver.sendUntaken(seq, true);
      return;
    }
    this.untoldOf(giver).add(seq);
    const from = this.members.get(giver.id);
    if (from) from.connections -= 1;
    const passage: Passage = { ...passed, handle, giver, seq, declinedBy: new Set() };
    // Nobody is there yet: a worker that drains must not wait for it.
    if (others.length === 0) this.tellTaken(passage, () => this.place(passage));
    else this.place(passage);
  }

  private tellTaken(passage: Passage, told: () => void): void {
    const { giver, seq } = passage;
    if (giver === null || seq === null) {
      told();
      return;
    }
    passage.seq = null;
    this.untoldOf(giver).delete(seq);
    giver.sendTaken(seq, told);
  }

  /** A giver has waited long for its answer. One that is not known here has never come: there was no descriptor for it. */
  handOffAsked(giver: Peer, seq: number): void {
    if (!this.untoldOf(giver).has(seq)) giver.sendUntaken(seq, true);
  }

  private untoldOf(giver: Peer): Set<number> {
    const known = this.untold.get(giver);
    if (known) return known;
    const fresh = new Set<number>();
    this.untold.set(giver, fresh);
    return fresh;
  }

  /** The master has accepted a connection. */
  accepted(key: string, handle: ConnectionHandle): void {
    this.place({ key, used: false, requests: 0, handle, giver: null, seq: null, declinedBy: new Set() });
  }

  claim(peer: Peer, offerId: number): void {
    const member = this.members.get(peer.id);
    const offer = member?.offers.get(offerId);
    if (!member || !offer) {
      peer.sendRevoke(offerId);
      if (member) this.speaks(member);
      return;
    }
    this.usualClaimMs += LAST_CLAIM * (performance.now() - offer.sentAt - this.usualClaimMs);
    offer.isClaimed = true;
    // In this order, and each on its way before the next: if the master dies in between, nobody owns it, never two.
    this.tellTaken(offer.passage, () => {
      if (member.offers.get(offerId) !== offer) return; // The receiver died meanwhile.
      member.offers.delete(offerId);
      member.connections += 1;
      peer.sendGrant(offerId);
      offer.passage.handle.close();
      this.sendQueued(member);
    });
    this.speaks(member);
  }

  decline(peer: Peer, offerId: number): void {
    const member = this.members.get(peer.id);
    if (!member) return;
    const offer = member.offers.get(offerId);
    if (offer?.isClaimed) return;
    member.offers.delete(offerId);
    this.speaks(member);
    if (!offer) return;
    offer.passage.declinedBy.add(peer.id);
    this.place(offer.passage);
  }

  /** A worker says how many connections it has. */
  load(peer: Peer, connections: number): void {
    const member = this.members.get(peer.id);
    if (!member) return;
    member.connections = connections;
    this.balance();
  }

  /** It answers again, and has room for the next one. */
  private speaks(member: Member): void {
    const wasStalled = member.isStalled;
    member.isStalled = false;
    this.sendQueued(member);
    if (this.waiting.length > 0) this.placeWaiting();
    if (wasStalled) this.balance();
  }

  private placeWaiting(): void {
    this.placeAll(this.waiting.splice(0));
  }

  private placeAll(passages: Passage[]): void {
    for (const passage of passages) this.place(passage);
  }

  private place(passage: Passage): void {
    const member = this.pick(passage);
    if (member?.isStalled && this.isMissed(passage)) {
      // Its client does not wait for a worker that may never wake: it goes back to the one that gave it, and may leave that again.
      this.giveBack(passage, false);
    } else if (member) {
      member.queue.push(passage);
      this.sendQueued(member);
    } else if (!this.isLeftOver(passage) || !this.giveBack(passage, passage.declinedBy.size > 0)) {
      if (!this.stopping && this.isOpen(passage.key)) this.wait(passage);
      else this.drop(passage);
    }
    this.timer ??= setTimeout(this.look, RETRY_MS);
  }

  /** Where all drain, none of them must wait for it: its next owner is still to come. */
  private wait(passage: Passage): void {
    this.waiting.push(passage);
    if (this.staying().length === 0) this.tellTaken(passage, () => {});
  }

  /** Nobody else has room for it, or nobody else is there any more while its giver stays. */
  private isLeftOver({ giver, declinedBy }: Passage): boolean {
    const member = giver === null ? undefined : this.members.get(giver.id);
    return declinedBy.size > 0 || (member !== undefined && !member.isLeaving);
  }

  /** The worker that gave it away goes on serving, and can have it back. */
  private isMissed({ key, giver, declinedBy }: Passage): boolean {
    const member = giver === null || declinedBy.has(giver.id) ? undefined : this.members.get(giver.id);
    return member !== undefined && !member.isLeaving && !member.isStalled && member.peer.listensOn(key);
  }

  /** It is its giver's again: false where that one cannot have it. `stays`: nobody else has room for it. */
  private giveBack(passage: Passage, stays: boolean): boolean {
    const { giver, seq, key, handle } = passage;
    const member = giver === null ? undefined : this.members.get(giver.id);
    if (giver === null || !member || !giver.listensOn(key)) return false;
    if (seq === null) this.send(member, passage, stays);
    else {
      // It has kept its copy.
      this.untoldOf(giver).delete(seq);
      member.connections += 1;
      handle.close();
      giver.sendUntaken(seq, stays);
    }
    return true;
  }

  private sendQueued(member: Member): void {
    while (member.queue.length > 0 && member.offers.size < WINDOW) this.send(member, member.queue.shift()!);
  }

  private send(member: Member, passage: Passage, stays = false): void {
    const id = this.nextOfferId++;
    const { key, used, requests, handle, giver } = passage;
    member.offers.set(id, { id, passage, sentAt: performance.now(), isClaimed: false, isAsked: false });
    member.peer.sendTake({ id, key, used, requests, fresh: giver === null, stays }, handle);
  }

  private pick(passage: Passage): Member | undefined {
    const { key, giver, declinedBy } = passage;
    const able = this.staying().filter(
      ({ peer }) => peer.id !== giver?.id && !declinedBy.has(peer.id) && peer.listensOn(key),
    );
    const awake = able.filter(({ isStalled }) => !isStalled);
    const among = awake.length > 0 ? awake : able;
    if (among.length === 0) return undefined;
    const { sticky, weights } = this.routing;
    const address = sticky ? addressOf(passage.handle) : '';
    if (address !== '') return this.members.get(pickByAddress(address, receivers(among), weights));
    if (giver !== null) {
      const isWeighted = Object.keys(weights).length > 0;
      const newest = Math.max(...among.map(({ peer }) => peer.generation));
      const best = neediest(
        this.staying().map(loadOf),
        weights,
        ({ id, generation }) => (isWeighted || generation === newest) && among.some(({ peer }) => peer.id === id),
      );
      return best === undefined ? undefined : this.members.get(best);
    }
    const picked = pickByWeight(this.smooth, receivers(among), weights);
    this.smooth = picked.state;
    return leastQueued(among, this.members.get(picked.id)!, weights);
  }

  /** Offers that nobody claims are made to others; what waits is tried again. */
  private readonly look = (): void => {
    this.timer = null;
    const late = performance.now() - Math.max(CLAIM_MS, USUAL_CLAIMS * this.usualClaimMs);
    for (const member of this.members.values()) {
      if (![...member.offers.values()].some(({ sentAt, isClaimed }) => !isClaimed && sentAt < late)) continue;
      member.isStalled = true;
      const passages = unclaimed(member).filter(
        (passage) => !this.stopping && (this.hasOther(member, passage) || this.isMissed(passage)),
      );
      for (const [id, { passage }] of member.offers) if (passages.includes(passage)) member.offers.delete(id);
      member.queue = member.queue.filter((passage) => !passages.includes(passage));
      for (const offer of member.offers.values()) if (!offer.isClaimed && offer.sentAt < late) ask(member, offer);
      this.placeAll(passages);
    }
    for (const passage of this.waiting) passage.declinedBy.clear();
    this.placeWaiting();
    const isBusy = [...this.members.values()].some(({ offers, queue }) => offers.size + queue.length > 0);
    if (isBusy || this.waiting.length > 0) this.timer ??= setTimeout(this.look, RETRY_MS);
  };

  private hasOther(member: Member, { key, giver, declinedBy }: Passage): boolean {
    return this.staying().some(
      ({ peer, isStalled }) =>
        peer.id !== member.peer.id &&
        !isStalled &&
        peer.id !== giver?.id &&
        !declinedBy.has(peer.id) &&
        peer.listensOn(key),
    );
  }

  private staying(): Member[] {
    return [...this.members.values()].filter(({ isLeaving }) => !isLeaving);
  }

  /** Asks those that have more than their share to give some away, and judges again once that has been done. */
  private balance(): void {
    if (this.judging) return;
    const { sticky, weights } = this.routing;
    if (sticky || this.stopping) return;
    const loads = this.staying()
      .filter(({ isStalled }) => !isStalled)
      .map(loadOf);
    if (loads.length < 2) return;
    // In a rollout the old ones are about to give all that they have.
    const isMixed = loads.some(({ generation }) => generation !== loads[0]!.generation);
    if (isMixed && Object.keys(weights).length === 0) return;
    const givers = surpluses(loads, weights);
    if (givers.length === 0) return;
    for (const { id, count } of givers) this.members.get(id)?.peer.sendGive(count);
    this.judging = setTimeout(() => {
      this.judging = null;
      this.balance();
    }, SETTLE_MS);
  }
}

/** Once: the channel keeps the order, and loses only what carries a connection. */
function ask({ peer }: Member, offer: Offer): void {
  if (offer.isAsked) return;
  offer.isAsked = true;
  peer.sendTakeAsked(offer.id);
}

const unclaimed = ({ offers, queue }: Member): Passage[] => [
  ...[...offers.values()].filter(({ isClaimed }) => !isClaimed).map(({ passage }) => passage),
  ...queue,
];

const receivers = (members: Member[]): Receiver[] => members.map(({ peer }) => peer);

const loadOf = ({ peer: { id, generation }, connections, offers, queue }: Member) => ({
  id,
  generation,
  connections: connections + offers.size + queue.length,
});

/** Of the picked one's kind, whoever has the fewest to take yet: a busy worker is not waited for while others are idle. */
function leastQueued(among: Member[], picked: Member, weights: Routing['weights']): Member {
  const isWeighted = Object.keys(weights).length > 0;
  let best = picked;
  for (const member of among)
    if ((!isWeighted || member.peer.generation === picked.peer.generation) && pendingOf(member) < pendingOf(best))
      best = member;
  return best;
}

const pendingOf = ({ offers, queue }: Member): number => offers.size + queue.length;

/** Empty for a unix socket, which has none. */
function addressOf(handle: ConnectionHandle): string {
  const peer: { address?: string } = {};
  return handle.getpeername?.(peer) === 0 ? (peer.address ?? '') : '';
}
