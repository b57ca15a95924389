/** Connections between workers: each has one owner in the end, whatever its receivers do. The workers and the connections are stand-ins, the exchange is real. */
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { ConnectionHandle, Peer } from '../../src/master/peer.js';

// As built: what it imports is CommonJS in TypeScript, which vitest does not read.
const built = (path: string): string => new URL(`../../dist/${path}`, import.meta.url).href;
const { Exchange } = (await import(built('master/exchange.js'))) as typeof import('../../src/master/exchange.js');

const KEY = 'tcp:*:3000';
const PASSED = { key: KEY, used: true, requests: 0 };

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

interface Connection extends ConnectionHandle {
  closedCount: number;
}
const connection = (): Connection => ({
  closedCount: 0,
  close() {
    this.closedCount += 1;
  },
});

/** A worker that remembers what it was sent. */
class StandIn implements Peer {
  readonly generation: number;
  readonly slot: number;
  readonly offers: { id: number; handle: ConnectionHandle; stays: boolean }[] = [];
  readonly granted: number[] = [];
  readonly revoked: number[] = [];
  readonly taken: number[] = [];
  readonly untaken: number[] = [];
  readonly asked: number[] = [];
  keys = [KEY];

  constructor(
    readonly id: number,
    generation = 1,
  ) {
    this.generation = generation;
    this.slot = id;
  }

  listensOn = (key: string): boolean => this.keys.includes(key);
  sendTake: Peer['sendTake'] = ({ id, stays }, handle) => this.offers.push({ id, handle, stays });
  sendGrant = (id: number): number => this.granted.push(id);
  sendRevoke = (id: number): number => this.revoked.push(id);
  readonly missed: number[] = [];
  sendTakeAsked = (id: number): number => this.missed.push(id);
  sendTaken: Peer['sendTaken'] = (seq, sent) => {
    this.taken.push(seq);
    sent();
  };
  sendUntaken: Peer['sendUntaken'] = (seq) => this.untaken.push(seq);
  countedCount = 0;
  sendCount = (): void => {
    this.countedCount += 1;
  };
  sendGive = (count: number): number => this.asked.push(count);
}

function exchangeOf(...peers: StandIn[]): InstanceType<typeof Exchange> {
  const exchange = new Exchange();
  for (const peer of peers) exchange.join(peer);
  return exchange;
}

test('a connection that is given away is kept until its receiver has claimed it, and is granted to nobody else', () => {
  const [giver, receiver] = [new StandIn(1), new StandIn(2)];
  const exchange = exchangeOf(giver, receiver);
  const handle = connection();
  exchange.handOff(giver, 7, PASSED, handle);
  expect(receiver.offers).toHaveLength(1);
  expect([giver.taken, handle.closedCount]).toEqual([[], 0]);
  exchange.claim(receiver, receiver.offers[0]!.id);
  expect(giver.taken).toEqual([7]);
  expect(receiver.granted).toEqual([receiver.offers[0]!.id]);
  expect(handle.closedCount).toBe(1);
});

test('a connection is granted only once its giver has been told: two of them never own it', () => {
  const [giver, receiver] = [new StandIn(1), new StandIn(2)];
  const exchange = exchangeOf(giver, receiver);
  let tell = (): void => {};
  giver.sendTaken = (_, sent) => {
    tell = sent;
  };
  exchange.handOff(giver, 7, PASSED, connection());
  exchange.claim(receiver, receiver.offers[0]!.id);
  expect(receiver.granted).toEqual([]);
  vi.advanceTimersByTime(2_000);
  tell();
  expect(receiver.granted).toHaveLength(1);
});

test('a giver that asks is told that a handoff has never come, and nothing of one that is under way', () => {
  const [giver, receiver] = [new StandIn(1), new StandIn(2)];
  const exchange = exchangeOf(giver, receiver);
  exchange.handOff(giver, 1, PASSED, connection());
  exchange.handOffAsked(giver, 1);
  exchange.handOffAsked(giver, 2);
  expect(giver.untaken).toEqual([2]);
});

test('connections that no worker had a descriptor for are offered again once they say so', () => {
  const workers = [new StandIn(1), new StandIn(2)];
  const exchange = exchangeOf(...workers);
  const accepted = Array.from({ length: 20 }, connection);
  for (const handle of accepted) exchange.accepted(KEY, handle);
  vi.advanceTimersByTime(2_000);
  for (const worker of workers)
    expect(new Set(worker.missed).size, 'each is asked about once').toBe(worker.missed.length);
  // They have room again. What was offered has never come, and what is offered from now on does.
  const handled = new Set<number>();
  for (let round = 0; round < 50; round++) {
    for (const worker of workers) {
      for (const id of worker.missed) {
        if (!handled.has(id)) exchange.decline(worker, id);
        handled.add(id);
      }
      for (const { id } of worker.offers) {
        if (!handled.has(id) && round > 0) exchange.claim(worker, id);
        if (round > 0) handled.add(id);
      }
      if (round === 0) for (const { id } of worker.offers) handled.add(id);
    }
    vi.advanceTimersByTime(100);
  }
  expect(accepted.map(({ closedCount }) => closedCount)).toEqual(accepted.map(() => 1));
});

test('a worker that had no descriptor for what went elsewhere since is asked as well, and gets connections again', () => {
  const [full, other] = [new StandIn(1), new StandIn(2)];
  const exchange = exchangeOf(full, other);
  // What is offered to `full` is lost on its way; `other` claims at once.
  const round = (): void => {
    for (const { id } of other.offers.splice(0)) exchange.claim(other, id);
    vi.advanceTimersByTime(100);
  };
  for (let count = 0; count < 4; count++) exchange.accepted(KEY, connection());
  for (let count = 0; count < 10; count++) round();
  expect(full.offers.length).toBeGreaterThan(0);
  expect(new Set(full.missed)).toEqual(new Set(full.offers.map(({ id }) => id)));
  for (const id of full.missed) exchange.decline(full, id);
  const before = full.offers.length;
  for (let count = 0; count < 4; count++) exchange.accepted(KEY, connection());
  expect(full.offers.length).toBeGreaterThan(before);
});

test('a receiver that does not claim in time loses it to another one, and what it claims late is revoked', () => {
  const [giver, blocked, other] = [new StandIn(1), new StandIn(2), new StandIn(3)];
  const exchange = exchangeOf(giver, blocked);
  const handle = connection();
  exchange.handOff(giver, 1, PASSED, handle);
  exchange.join(other);
  vi.advanceTimersByTime(400);
  expect(other.offers).toHaveLength(1);
  exchange.claim(blocked, blocked.offers[0]!.id);
  expect(blocked.revoked).toEqual([blocked.offers[0]!.id]);
  exchange.claim(other, other.offers[0]!.id);
  expect(other.granted).toHaveLength(1);
  expect(blocked.granted).toEqual([]);
  expect(handle.closedCount).toBe(1);
});

test('where every receiver is blocked the giver gets it back, and is asked for it again once one of them speaks', () => {
  const [giver, blocked] = [new StandIn(1), new StandIn(2)];
  const exchange = exchangeOf(giver, blocked);
  exchange.load(giver, 20);
  vi.advanceTimersByTime(250);
  expect(giver.asked, 'who does not count is taken at its last word').toEqual([10]);
  exchange.handOff(giver, 1, PASSED, connection());
  exchange.handOff(giver, 2, PASSED, connection());
  vi.advanceTimersByTime(1_000);
  expect([giver.taken, giver.untaken]).toEqual([[], [1, 2]]);
  exchange.handOff(giver, 3, PASSED, connection());
  expect(giver.untaken, 'the blocked one is not waited for again').toEqual([1, 2, 3]);
  vi.advanceTimersByTime(2_000);
  expect(giver.asked, 'for the blocked one nobody gives').toEqual([10]);
  for (const { id } of blocked.offers) exchange.claim(blocked, id);
  expect(blocked.granted).toEqual([]);
  exchange.load(giver, 20);
  exchange.load(blocked, 0);
  expect(giver.asked).toEqual([10, 10]);
});

test('a blocked receiver has few offers unread, and gets no more until it speaks', () => {
  const [giver, blocked, other] = [new StandIn(1), new StandIn(2), new StandIn(3)];
  const exchange = exchangeOf(giver, blocked, other);
  const answerAll = (): void => {
    for (const { id } of other.offers) if (!other.granted.includes(id)) exchange.claim(other, id);
  };
  for (let seq = 1; seq <= 200; seq += 1) {
    exchange.handOff(giver, seq, PASSED, connection());
    answerAll();
  }
  for (let round = 0; round < 20; round += 1) {
    vi.advanceTimersByTime(100);
    answerAll();
  }
  expect(blocked.offers.length).toBeLessThanOrEqual(4);
  expect(other.granted).toHaveLength(200);
});

test('a receiver that dies with offers unread costs nothing: others get them', () => {
  const [giver, dead, other] = [new StandIn(1), new StandIn(2), new StandIn(3)];
  const exchange = exchangeOf(giver, dead);
  const handles = [connection(), connection(), connection(), connection(), connection(), connection()];
  for (const [seq, handle] of handles.entries()) exchange.handOff(giver, seq, PASSED, handle);
  exchange.join(other);
  exchange.gone(dead.id);
  while (other.granted.length < other.offers.length) exchange.claim(other, other.offers[other.granted.length]!.id);
  expect(other.granted).toHaveLength(6);
  expect(handles.map(({ closedCount }) => closedCount)).toEqual([1, 1, 1, 1, 1, 1]);
});

test('where nobody is there to take it, it waits for the next worker', () => {
  const [giver, next] = [new StandIn(1), new StandIn(2, 2)];
  const exchange = exchangeOf(giver);
  exchange.leave(giver.id);
  const handle = connection();
  exchange.handOff(giver, 1, PASSED, handle);
  exchange.gone(giver.id);
  expect([giver.taken, handle.closedCount]).toEqual([[1], 0]);
  exchange.join(next);
  expect(next.offers).toHaveLength(1);
});

test('where others are there and none of them listens on its port, it stays with its worker', () => {
  const [giver, other] = [new StandIn(1), new StandIn(2)];
  other.keys = ['tcp:*:9000'];
  const exchange = exchangeOf(giver, other);
  const handle = connection();
  exchange.handOff(giver, 3, PASSED, handle);
  expect([giver.taken, giver.untaken, handle.closedCount]).toEqual([[], [3], 1]);
});

test('where every other worker is full, its giver gets it back, and keeps it', () => {
  const [giver, full] = [new StandIn(1), new StandIn(2)];
  const exchange = exchangeOf(giver, full);
  exchange.leave(giver.id);
  const handle = connection();
  exchange.handOff(giver, 1, PASSED, handle);
  exchange.decline(full, full.offers[0]!.id);
  expect([giver.taken, giver.untaken, handle.closedCount]).toEqual([[], [1], 1]);
});

test('where its only receiver leaves before it has claimed, the giver that stays has it back, and may give it again', () => {
  const [staying, leaving] = [new StandIn(1), new StandIn(2)];
  const exchange = exchangeOf(staying, leaving);
  const handle = connection();
  exchange.handOff(staying, 1, PASSED, handle);
  exchange.leave(leaving.id);
  expect([staying.taken, staying.untaken, handle.closedCount]).toEqual([[], [1], 1]);
});

test('where all drain, no giver waits for the next worker', () => {
  const [giver, other, next] = [new StandIn(1), new StandIn(2), new StandIn(3, 2)];
  const exchange = exchangeOf(giver, other);
  const handle = connection();
  exchange.leave(giver.id);
  exchange.handOff(giver, 1, PASSED, handle);
  expect(giver.taken).toEqual([]);
  exchange.leave(other.id);
  expect([giver.taken, handle.closedCount]).toEqual([[1], 0]);
  exchange.join(next);
  exchange.claim(next, next.offers[0]!.id);
  expect([next.granted.length, handle.closedCount]).toEqual([1, 1]);
});

test('in a rollout idle connections go to the new generation alone', () => {
  const [old, staying, coming] = [new StandIn(1, 1), new StandIn(2, 1), new StandIn(3, 2)];
  const exchange = exchangeOf(old, staying, coming);
  exchange.leave(old.id);
  for (let seq = 1; seq <= 5; seq += 1) {
    exchange.handOff(old, seq, PASSED, connection());
    exchange.claim(coming, coming.offers.at(-1)!.id);
  }
  expect([staying.offers.length, coming.granted.length]).toEqual([0, 5]);
});

test('a stop ends what waits for a worker, and what is offered still reaches the worker that drains', () => {
  const [worker, handle, waiting] = [new StandIn(1), connection(), connection()];
  const exchange = exchangeOf(worker);
  exchange.accepted(KEY, handle);
  exchange.accepted('tcp:*:9000', waiting);
  exchange.stop();
  exchange.leave(worker.id);
  expect(waiting.closedCount).toBe(1);
  exchange.claim(worker, worker.offers[0]!.id);
  expect([worker.granted.length, handle.closedCount]).toEqual([1, 1]);
});

test('a stop leaves no giver waiting for a word: what nobody has claimed is its own again', () => {
  const [giver, receiver] = [new StandIn(1), new StandIn(2)];
  const exchange = exchangeOf(giver, receiver);
  const handle = connection();
  exchange.handOff(giver, 1, PASSED, handle);
  exchange.leave(giver.id);
  exchange.stop();
  exchange.leave(receiver.id);
  exchange.gone(receiver.id);
  expect([giver.taken, giver.untaken, handle.closedCount]).toEqual([[], [1], 1]);
});

test('a worker with more than its share is asked for the surplus, once for each look', () => {
  const [busy, idle] = [new StandIn(1), new StandIn(2)];
  const exchange = exchangeOf(busy, idle);
  exchange.load(busy, 40);
  expect([busy.countedCount, idle.countedCount]).toEqual([1, 1]);
  exchange.load(busy, 40);
  exchange.load(idle, 0);
  expect(busy.asked).toEqual([20]);
  for (let seq = 1; seq <= 20; seq += 1) {
    exchange.handOff(busy, seq, PASSED, connection());
    exchange.claim(idle, idle.offers.at(-1)!.id);
  }
  vi.advanceTimersByTime(5_000);
  expect([busy.asked, idle.asked]).toEqual([[20], []]);
});

test('what workers said at different instants moves nothing: they are asked to count at one', () => {
  const [one, other] = [new StandIn(1), new StandIn(2)];
  const exchange = exchangeOf(one, other);
  exchange.load(one, 40);
  exchange.load(one, 20);
  exchange.load(other, 20);
  vi.advanceTimersByTime(5_000);
  expect([one.asked, other.asked]).toEqual([[], []]);
});

test('connections that the master has accepted are no load until the worker says so: they may be over by then', () => {
  const workers = [new StandIn(1), new StandIn(2)];
  const exchange = exchangeOf(...workers);
  for (let count = 0; count < 100; count += 1) {
    exchange.accepted(KEY, connection());
    for (const worker of workers) for (const { id } of worker.offers.splice(0)) exchange.claim(worker, id);
    exchange.load(workers[0]!, 1);
  }
  expect(workers.map(({ countedCount }) => countedCount)).toEqual([0, 0]);
});

test('whatever workers do, no connection has two owners, none is forgotten, and no copy of it is left', () => {
  const act = fc.record({
    what: fc.constantFrom('handoff', 'accept', 'claim', 'claim', 'decline', 'leave', 'die', 'join', 'wait', 'load'),
    who: fc.nat(5),
    which: fc.nat(5),
  });
  fc.assert(
    fc.property(fc.array(act, { maxLength: 80 }), (acts) => {
      const exchange = new Exchange();
      const peers = Array.from({ length: 6 }, (_, id) => new StandIn(id + 1, (id % 2) + 1));
      const state = new Map<StandIn, 'new' | 'in' | 'leaving' | 'dead'>(peers.map((peer) => [peer, 'new']));
      const handles: { handle: Connection; giver: StandIn | null; seq: number }[] = [];
      const owners = new Map<ConnectionHandle, number>();
      let seq = 0;
      const claim = (peer: StandIn, which: number): void => {
        const offer = peer.offers.splice(which % peer.offers.length, 1)[0]!;
        const before = peer.granted.length;
        exchange.claim(peer, offer.id);
        if (peer.granted.length > before) owners.set(offer.handle, (owners.get(offer.handle) ?? 0) + 1);
      };
      for (const { what, who, which } of acts) {
        const peer = peers[who]!;
        const now = state.get(peer)!;
        const handle = connection();
        if (what === 'wait') vi.advanceTimersByTime(150);
        else if (what === 'accept') {
          handles.push({ handle, giver: null, seq: 0 });
          exchange.accepted(KEY, handle);
        } else if (what === 'join' && now === 'new') {
          state.set(peer, 'in');
          exchange.join(peer);
        } else if (now !== 'in' && now !== 'leaving') continue;
        else if (what === 'handoff') {
          seq += 1;
          exchange.handOff(peer, seq, PASSED, handle);
          handles.push({ handle, giver: peer, seq });
        } else if (what === 'claim' && peer.offers.length > 0) claim(peer, which);
        else if (what === 'decline' && peer.offers.length > 0) {
          exchange.decline(peer, peer.offers.splice(which % peer.offers.length, 1)[0]!.id);
        } else if (what === 'leave') {
          state.set(peer, 'leaving');
          exchange.leave(peer.id);
        } else if (what === 'die') {
          state.set(peer, 'dead');
          exchange.gone(peer.id);
        } else if (what === 'load') exchange.load(peer, which * 10);
      }
      // In the end one fresh worker answers all that it is offered, and whoever is there still does as well.
      const last = new StandIn(99, 3);
      exchange.join(last);
      state.set(last, 'in');
      for (let round = 0; round < 60; round += 1) {
        for (const [peer, now] of state) while (now !== 'dead' && peer.offers.length > 0) claim(peer, 0);
        vi.advanceTimersByTime(100);
      }
      for (const { handle, giver, seq } of handles) {
        const stayed = giver?.untaken.includes(seq) === true;
        expect((owners.get(handle) ?? 0) + (stayed ? 1 : 0)).toBe(1);
        expect(giver === null || giver.taken.includes(seq) !== stayed).toBe(true);
        expect(handle.closedCount).toBe(1);
      }
    }),
    { numRuns: 500 },
  );
});
