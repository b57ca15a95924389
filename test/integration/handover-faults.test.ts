/**
 * A worker that stands still or dies while connections are on their way to it: they go to another one. Only those that were its own wait for it,
 * or end with it; nothing hangs, and nobody else waits.
 */
import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { WorkerSnapshot } from '../../src/shared/snapshot.js';
import { killOwn } from '../helpers/cleanup.js';
import { ask, openConnection, request } from '../helpers/load/asking.js';
import type { Connection } from '../helpers/load/client.js';
import type { Load } from '../helpers/load/load.js';
import { startTorture } from '../helpers/load/torture.js';
import type { TortureTally } from '../helpers/load/torture-tally.js';
import { tallyLine } from '../helpers/load/torture-tally.js';
import type { Numbered } from '../helpers/numbered.js';
import { expectNothingBad, expectUnbroken, startNumbered } from '../helpers/numbered.js';
import { until } from '../helpers/until.js';
import type { Master } from '../helpers/zdsup.js';

const CLIENTS = 30;
/** A worker that does not claim is passed over in a fraction of this; a busy host takes the rest. In ms. */
const STALL_MS = 3_000;

interface Client {
  /** Who has answered it last. */
  pid: number;
  answers: number;
  longestMs: number;
  faults: string[];
}

interface Scene extends Numbered {
  load: Load<TortureTally>;
  clients: Client[];
  /** Slots 0 and 1 stay, slot 2 is scaled away. */
  slots: number[];
  /** Forgets what the clients have waited; says whose last answer came from `pid`. */
  ownOf(pid: number): Set<Client>;
}

/** Three workers with about as many clients each, all of them answered. */
async function scene(): Promise<Scene> {
  const numbered = await startNumbered({ config: { instances: 3 } });
  const clients = Array.from({ length: CLIENTS }, (): Client => ({ pid: 0, answers: 0, longestMs: 0, faults: [] }));
  const load = startTorture(
    { port: numbered.port },
    {
      connections: CLIENTS,
      seed: 5,
      hungMs: 20_000,
      onAnswer(number, pid, waitedMs) {
        const client = clients[number]!;
        client.pid = pid;
        client.answers += 1;
        client.longestMs = Math.max(client.longestMs, waitedMs);
      },
      onFault: (number, what) => clients[number]!.faults.push(what),
    },
  );
  await load.reached(1_000);
  const { workers } = await numbered.master.statusUntil('connections are even', (app) =>
    app.workers.every(({ connections }) => connections !== null && connections >= 5 && connections <= 13),
  );
  await settled(load);
  return {
    ...numbered,
    load,
    clients,
    slots: workers.toSorted((a, b) => a.slot - b.slot).map(({ pid }) => pid!),
    ownOf(pid) {
      for (const client of clients) Object.assign(client, { longestMs: 0, answers: 0 });
      return new Set(clients.filter((client) => client.pid === pid));
    },
  };
}

/** No connection is on its way: none has moved while every client was answered many times. */
async function settled(load: Load<TortureTally>): Promise<void> {
  for (let moves = -1; moves !== load.tally.moves; ) {
    moves = load.tally.moves;
    await load.reached(load.tally.answered + 50 * CLIENTS);
  }
}

/** Sends slot 2 away; its connections move to those that are left. */
async function scaleToTwo(master: Master): Promise<void> {
  const { code, stderr } = await master.run('scale', '2');
  expect(code, stderr).toBe(0);
}

/** All but `own` have been answered since, again and again, without a fault and without a stall. */
async function expectUntouched(clients: Client[], own: Set<Client>): Promise<void> {
  const others = clients.filter((client) => !own.has(client));
  expect(others.length).toBeGreaterThan(CLIENTS / 3);
  for (const client of others) client.answers = 0;
  await until('the others are answered', () => others.every(({ answers }) => answers >= 10));
  expect(others.flatMap(({ faults }) => faults)).toEqual([]);
  expect(Math.max(...others.map(({ longestMs }) => longestMs))).toBeLessThan(STALL_MS);
}

const allAnswered = (clients: Client[]): Promise<unknown> => {
  for (const client of clients) client.answers = 0;
  return until('every client is answered again', () => clients.every(({ answers }) => answers > 0));
};

test('a receiver that is stopped: what was meant for it goes elsewhere, and its own go on when it does', async () => {
  const { master, load, clients, slots, ownOf } = await scene();
  const [stopped] = slots;
  const own = ownOf(stopped!);
  killOwn(stopped, 'SIGSTOP');
  await scaleToTwo(master);
  await master.seen('slot 2 has gone', (line) => line.kind === 'worker-ended' && line.pid === slots[2]);
  await expectUntouched(clients, own);
  expect([...new Set(clients.filter((client) => !own.has(client)).map(({ pid }) => pid))]).toEqual([slots[1]]);
  killOwn(stopped, 'SIGCONT');
  await allAnswered(clients);
  expectUnbroken(await load.stop());
});

test('a receiver that is blocked by its app: the same', async () => {
  const { master, port, load, clients, slots, ownOf, gate } = await scene();
  const [blocking, blocked] = await connectionTo([slots[0]!, slots[1]!], port);
  await settled(load);
  const own = ownOf(blocked);
  blocking.socket.write(request(`/block?ms=6000&mark=${gate.path}`));
  await until('it stands still', () => existsSync(gate.path));
  await scaleToTwo(master);
  await expectUntouched(clients, own);
  await allAnswered(clients);
  expectUnbroken(await load.stop());
});

async function connectionTo(pids: number[], port: number): Promise<[Connection, number]> {
  for (;;) {
    const connection = await openConnection(port);
    const { pid } = await ask(connection);
    if (pids.includes(pid)) return [connection, pid];
  }
}

test('a receiver that dies with connections unread: they go elsewhere, and only its own end with it', async () => {
  const { master, load, clients, slots, ownOf } = await scene();
  const [victim] = slots;
  const own = ownOf(victim!);
  killOwn(victim, 'SIGSTOP');
  const scaling = scaleToTwo(master);
  await master.seen('slot 2 gives away', (line) => line.kind === 'worker-retired' && line.pid === slots[2]);
  killOwn(victim, 'SIGKILL');
  await scaling;
  await expectUntouched(clients, own);
  await allAnswered(clients);
  const tally = await load.stop();
  expect(own.size, tallyLine(tally)).toBeGreaterThan(0);
  for (const what of ['hung', 'duplicated', 'outOfOrder', 'wrong', 'refused'] as const)
    expect(tally[what], tallyLine(tally)).toBe(0);
});

test('a receiver that is killed at any moment of a handover: nobody else notices, and nothing hangs', async () => {
  const { master, load, clients, slots, ownOf } = await scene();
  const isUp =
    (count: number) =>
    ({ workers }: { workers: WorkerSnapshot[] }): boolean =>
      workers.length === count && workers.every(({ state }) => state === 'active');
  let pids = slots;
  for (let round = 0; round < 3; round++) {
    // Whom the victim or the one that gives had: a connection that was granted to the victim ends with it.
    const touched = new Set([...ownOf(pids[0]!), ...ownOf(pids[2]!)]);
    for (const client of clients) client.faults = [];
    const scaling = scaleToTwo(master);
    await master.seen('slot 2 gives away', (line) => line.kind === 'worker-retired' && line.pid === pids[2]);
    killOwn(pids[0], 'SIGKILL');
    await scaling;
    const others = clients.filter((client) => !touched.has(client));
    await until('the others are answered', () => others.every(({ answers }) => answers >= 5));
    expect(others.flatMap(({ faults }) => faults)).toEqual([]);
    await allAnswered(clients);
    await master.statusUntil('two serve', isUp(2));
    const { code, stderr } = await master.run('scale', '3');
    expect(code, stderr).toBe(0);
    const { workers } = await master.statusUntil('three serve', isUp(3));
    await settled(load);
    pids = workers.toSorted((a, b) => a.slot - b.slot).map(({ pid }) => pid!);
  }
  const tally = await load.stop();
  for (const what of ['hung', 'duplicated', 'outOfOrder', 'wrong', 'refused'] as const)
    expect(tally[what], tallyLine(tally)).toBe(0);
});

test('a worker that is stopped while it gives its connections away loses none of them', async () => {
  const { master, load, clients, slots } = await scene();
  const giver = slots[2]!;
  const scaling = scaleToTwo(master);
  await master.seen('slot 2 gives away', (line) => line.kind === 'worker-retired' && line.pid === giver);
  killOwn(giver, 'SIGSTOP');
  // Meanwhile nobody else stands still, and for longer than an offer may go unclaimed.
  const elsewhere = clients.filter(({ pid }) => pid !== giver);
  for (const client of elsewhere) client.answers = 0;
  await until('the others are answered all the while', () => elsewhere.every(({ answers }) => answers >= 50));
  killOwn(giver, 'SIGCONT');
  await scaling;
  await allAnswered(clients);
  const tally = await load.stop();
  expectNothingBad(tally);
  expectUnbroken(tally);
});
