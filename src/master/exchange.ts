/**
 * Runs in the master. Owns the connections on their way from one worker to another, or from the master to a worker: holds a copy of each until its
 * receiver owns it. Never reads from one. Who could take it is in `members.ts`, who gets it in `domain/receiver.ts`, when some should move in `balancer.ts`.
 *
 * A connection is offered to one worker at a time. Who gets it claims it, and owns it once that is granted; who is too late, because it was
 * blocked or stopped meanwhile, finds it given to another one and closes its copy unread. So a worker that dies or hangs with an offer unread
 * costs nothing, and no two processes ever read from one connection.
 */
import { patienceFor, usualAfter } from '../domain/claims.js';
import { pickReceiver } from '../domain/receiver.js';
import type { SmoothState } from '../domain/routing.js';
import { FRESH } from '../domain/routing.js';
import type { Routing } from '../domain/types.js';
import type { Passed } from '../shared/messages.cjs';
import { Balancer } from './balancer.js';
import { Givers } from './givers.js';
import type { Member, Offer, Passage } from './members.js';
import { candidateOf, isBusy, Members, unclaimed } from './members.js';
import type { ConnectionHandle, Peer } from './peer.js';

/** Offers that a worker may have open, unread or claimed; the others wait here, where they can be sent elsewhere at once. */
const WINDOW = 4;
/** Where every worker has declined, the connection is offered again after this long, in ms. */
const RETRY_MS = 100;
/** So many may wait for a worker at one time. More stay with the worker that has them. */
const MOST_WAITING = 1_000;

export class Exchange {
  private readonly members = new Members();
  private readonly givers = new Givers();
  private readonly balancer = new Balancer(this.members, () => this.routing);
  /** Nobody is there to take them. */
  private waiting: Passage[] = [];
  private routing: Routing = { mode: 'direct', sticky: false, weights: {} };
  private smooth: SmoothState = FRESH;
  private nextOfferId = 1;
  /** What a claim takes these days, in ms. */
  private usualClaimMs = 0;
  private timer: NodeJS.Timeout | null = null;
  private stopping = false;

  /** @param isOpen is there such a listener still? */
  constructor(private readonly isOpen: (key: string) => boolean = () => true) {}

  /** The worker takes connections from now on. */
  join(peer: Peer): void {
    this.members.add(peer);
    this.placeWaiting();
    this.balancer.judge();
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
    this.balancer.counted(id);
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
    this.balancer.counted(id);
    const passages = [...[...member.offers.values()].map(({ passage }) => passage), ...member.queue];
    if (this.stopping) for (const passage of passages) this.drop(passage);
    else this.placeAll(passages);
  }

  route(routing: Routing): void {
    this.routing = routing;
    this.balancer.judge();
  }

  /** At a stop. Whoever waits for a worker waits for nobody. */
  stop(): void {
    this.stopping = true;
    this.balancer.stop();
    for (const passage of this.waiting.splice(0)) this.drop(passage);
  }

  /** The listener is closed: nobody will ever take what waits for it. */
  closed(key: string): void {
    const [lost, kept] = [this.waiting.filter((one) => one.key === key), this.waiting.filter((one) => one.key !== key)];
    this.waiting = kept;
    for (const passage of lost) this.drop(passage);
  }

  /** Nobody will take it: a giver that waits for a word has its own copy still. */
  private drop(passage: Passage): void {
    passage.handle.close();
    this.givers.untaken(passage, true);
  }

  /** A worker gives a connection away. */
  handOff(giver: Peer, seq: number, passed: Passed, handle: ConnectionHandle): void {
    const others = this.members.staying().filter(({ peer }) => peer.id !== giver.id);
    const nobodyListens = others.length > 0 && !others.some(({ peer }) => peer.listensOn(passed.key));
    if (this.stopping || nobodyListens || this.waiting.length >= MOST_WAITING) {
      handle.close();
      giver.sendUntaken(seq, true);
      return;
    }
    this.givers.waits(giver, seq);
    const from = this.members.get(giver.id);
    if (from) from.connections -= 1;
    const passage: Passage = { ...passed, handle, giver, seq, declinedBy: new Set() };
    // Nobody is there yet: a worker that drains must not wait for it.
    if (others.length === 0) this.givers.taken(passage, () => this.place(passage));
    else this.place(passage);
  }

  /** A giver has waited long for its answer. One that is not known here has never come: there was no descriptor for it. */
  handOffAsked(giver: Peer, seq: number): void {
    if (!this.givers.isWaiting(giver, seq)) giver.sendUntaken(seq, true);
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
    this.usualClaimMs = usualAfter(this.usualClaimMs, performance.now() - offer.sentAt);
    offer.isClaimed = true;
    // In this order, and each on its way before the next: if the master dies in between, nobody owns it, never two.
    this.givers.taken(offer.passage, () => {
      if (member.offers.get(offerId) !== offer) return; // The receiver died meanwhile.
      member.offers.delete(offerId);
      // One that the master has accepted may be over before the worker's next word: those that last are in it.
      if (offer.passage.giver !== null) member.connections += 1;
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

  /** A worker says how many connections it has, and how many of them do not move. */
  load(peer: Peer, connections: number, fixed = 0): void {
    const member = this.members.get(peer.id);
    if (!member) return;
    member.connections = connections;
    member.fixed = fixed;
    this.balancer.counted(peer.id);
  }

  /** It answers again, and has room for the next one. */
  private speaks(member: Member): void {
    const wasStalled = member.isStalled;
    member.isStalled = false;
    this.sendQueued(member);
    if (this.waiting.length > 0) this.placeWaiting();
    if (wasStalled) this.balancer.judge();
  }

  private placeWaiting(): void {
    this.placeAll(this.waiting.splice(0));
  }

  private placeAll(passages: Passage[]): void {
    for (const passage of passages) this.place(passage);
  }

  private place(passage: Passage): void {
    const member = this.pick(passage);
    if (member?.isStalled && this.members.isMissed(passage)) {
      // Its client does not wait for a worker that may never wake: it goes back to the one that gave it, and may leave that again.
      this.giveBack(passage, false);
    } else if (member) {
      member.queue.push(passage);
      this.sendQueued(member);
    } else if (!this.members.isLeftOver(passage) || !this.giveBack(passage, passage.declinedBy.size > 0)) {
      if (!this.stopping && this.isOpen(passage.key)) this.wait(passage);
      else this.drop(passage);
    }
    this.timer ??= setTimeout(this.look, RETRY_MS);
  }

  /** Where all drain, none of them must wait for it: its next owner is still to come. */
  private wait(passage: Passage): void {
    this.waiting.push(passage);
    if (this.members.staying().length === 0) this.givers.taken(passage);
  }

  /** It is its giver's again: false where that one cannot have it. `stays`: nobody else has room for it. */
  private giveBack(passage: Passage, stays: boolean): boolean {
    const giver = this.members.giverOf(passage);
    if (!giver?.peer.listensOn(passage.key)) return false;
    if (passage.seq === null) this.send(giver, passage, stays);
    else {
      // It has kept its copy.
      giver.connections += 1;
      passage.handle.close();
      this.givers.untaken(passage, stays);
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
    const { sticky, weights } = this.routing;
    const coming = { isGiven: passage.giver !== null, address: sticky ? addressOf(passage.handle) : '' };
    const able = this.members.able(passage).map(candidateOf);
    const picked = pickReceiver(able, this.members.staying().map(candidateOf), coming, weights, this.smooth);
    if (!picked) return undefined;
    this.smooth = picked.smooth;
    return this.members.get(picked.id);
  }

  /** Offers that nobody claims are made to others; what waits is tried again. */
  private readonly look = (): void => {
    this.timer = null;
    const late = performance.now() - patienceFor(this.usualClaimMs);
    for (const member of this.members.all()) {
      if (![...member.offers.values()].some(({ sentAt, isClaimed }) => !isClaimed && sentAt < late)) continue;
      member.isStalled = true;
      const passages = unclaimed(member).filter(
        (passage) => !this.stopping && (this.members.hasOther(member, passage) || this.members.isMissed(passage)),
      );
      // Also about those that go elsewhere now: it may have lost them, and would never say that it answers again.
      for (const offer of member.offers.values()) if (!offer.isClaimed && offer.sentAt < late) ask(member, offer);
      for (const [id, { passage }] of member.offers) if (passages.includes(passage)) member.offers.delete(id);
      member.queue = member.queue.filter((passage) => !passages.includes(passage));
      this.placeAll(passages);
    }
    for (const passage of this.waiting) passage.declinedBy.clear();
    this.placeWaiting();
    if (this.members.all().some(isBusy) || this.waiting.length > 0) this.timer ??= setTimeout(this.look, RETRY_MS);
  };
}

/** Once: the channel keeps the order, and loses only what carries a connection. */
function ask({ peer }: Member, offer: Offer): void {
  if (offer.isAsked) return;
  offer.isAsked = true;
  peer.sendTakeAsked(offer.id);
}

/** Empty for a unix socket, which has none. */
function addressOf(handle: ConnectionHandle): string {
  const peer: { address?: string } = {};
  return handle.getpeername?.(peer) === 0 ? (peer.address ?? '') : '';
}
