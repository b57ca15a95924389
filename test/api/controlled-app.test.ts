/** The verbs of an app beside a master that is played: what each asks for, when it is given up, and that it hangs up then. */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ControlledApp } from '../../src/api/controlled-app.js';
import type { App } from '../../src/api/types.js';
import type { ControlRequest } from '../../src/shared/control-protocol.js';
import { temporaryFolder } from '../helpers/cleanup.js';
import { onTestFinished } from '../helpers/side-by-side.js';
import { app as snapshotOf } from '../helpers/snapshots.js';
import { until } from '../helpers/until.js';

interface Played {
  shop: App;
  /** In their order, without the question whether it is there. */
  asked: ControlRequest[];
  /** Of those that were asked. */
  sockets: Socket[];
}

type Say = (line: object) => void;

/** @param answer what it says to a request; null: it takes connections and says nothing at all, as one that hangs */
async function play(answer: ((request: ControlRequest, say: Say) => void) | null): Promise<Played> {
  const path = join(temporaryFolder(), 'api.sock');
  const asked: ControlRequest[] = [];
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    onTestFinished(() => void socket.destroy());
    socket.on('error', () => {});
    const say: Say = (line) => void socket.write(`${JSON.stringify(line)}\n`);
    socket.once('data', (data) => {
      const request = JSON.parse(String(data)) as ControlRequest;
      if (answer !== null && request.command === 'ping') {
        say({ type: 'result', ok: true, exitStatus: 0, command: 'ping' });
        return;
      }
      if (request.command !== 'ping') {
        asked.push(request);
        sockets.push(socket);
      }
      answer?.(request, say);
    });
  });
  await once(server.listen(path), 'listening');
  onTestFinished(() => void server.close());
  return { shop: new ControlledApp('alice/api', path), asked, sockets };
}

const DONE = { generation: 2, durationMs: 5, message: 'done' };
const done = ({ command }: ControlRequest, say: Say): void =>
  say({ type: 'result', ok: true, exitStatus: 0, command, ...DONE });
const step = { type: 'progress', kind: 'held', at: '2026-11-26T12:00:00.000Z', message: 'it is held' };
const sample = (generation: number) => ({ type: 'sample', app: snapshotOf({ generation }) });

const hungUp = ({ sockets }: Played): Promise<unknown> => until('it has hung up', () => sockets[0]?.destroyed);

describe('what is asked for is what was said', () => {
  const reload = { command: 'reload', noCanary: false, allowListeners: false, noWait: false };
  test.for<[string, (shop: App) => Promise<unknown>, object]>([
    ['reload', (shop) => shop.reload(), reload],
    ['reload at a weight', (shop) => shop.reload({ weight: 5 }), { ...reload, weight: 5 }],
    ['reload without a canary', (shop) => shop.reload({ canary: false }), { ...reload, noCanary: true }],
    ['reload with other ports', (shop) => shop.reload({ allowListeners: true }), { ...reload, allowListeners: true }],
    ['reload, not waited for', (shop) => shop.reload({ wait: false }), { ...reload, noWait: true }],
    ['restart', (shop) => shop.restart(), { command: 'restart', allowListeners: false, noWait: false }],
    [
      'restart, not waited for',
      (shop) => shop.restart({ wait: false, allowListeners: true }),
      { command: 'restart', allowListeners: true, noWait: true },
    ],
    ['canary', (shop) => shop.canary(0), { command: 'canary', weight: 0 }],
    ['promote', (shop) => shop.promote(), { command: 'promote', full: false }],
    ['promote past all steps', (shop) => shop.promote({ full: true }), { command: 'promote', full: true }],
    ['pause', (shop) => shop.pause(), { command: 'pause' }],
    ['abort', (shop) => shop.abort(), { command: 'abort' }],
    ['rollback', (shop) => shop.rollback(), { command: 'rollback' }],
    ['rollback to a release', (shop) => shop.rollback({ to: 'r1' }), { command: 'rollback', to: 'r1' }],
    ['scale', (shop) => shop.scale(4), { command: 'scale', to: '4' }],
    ['scale by some', (shop) => shop.scale('-2'), { command: 'scale', to: '-2' }],
    ['recycle', (shop) => shop.recycle(0), { command: 'recycle', slot: 0, noWait: false }],
    [
      'recycle, not waited for',
      (shop) => shop.recycle(2, { wait: false }),
      { command: 'recycle', slot: 2, noWait: true },
    ],
    ['stop', (shop) => shop.stop(), { command: 'stop' }],
  ])('%s', async ([, act, request]) => {
    const { shop, asked } = await play(done);
    expect(await act(shop), 'nothing that only the wire needs').toEqual(DONE);
    expect(asked).toEqual([request]);
  });
});

test.for<[string, (shop: App) => Promise<unknown>]>([
  ['a reload at no weight', (shop) => shop.reload({ weight: 0 })],
  ['a reload at all of it', (shop) => shop.reload({ weight: 100 })],
  ['a reload at a part of a percent', (shop) => shop.reload({ weight: 2.5 })],
  ['a canary above all', (shop) => shop.canary(101)],
  ['a canary below nothing', (shop) => shop.canary(-1)],
  ['a scale to many', (shop) => shop.scale('many' as never)],
  ['a recycling of no slot', (shop) => shop.recycle(-1)],
])('%s is refused before anybody is asked', async ([, act]) => {
  const { shop, asked } = await play(done);
  await expect(act(shop)).rejects.toMatchObject({ code: 'ZDSUP_USAGE', exitStatus: 2 });
  expect(asked).toEqual([]);
});

describe('a master that hangs', () => {
  test('is given no work: it would carry that out much later', async () => {
    const played = await play(null);
    await expect(played.shop.reload()).rejects.toMatchObject({ code: 'ZDSUP_APP_UNRESPONSIVE', exitStatus: 1 });
    expect(played.asked).toEqual([]);
  });

  test('has no status, no description and nothing to be watched', { timeout: 10_000 }, async () => {
    const played = await play(null);
    const { shop } = played;
    const all = [shop.status(), shop.describe(), shop.watch()[Symbol.asyncIterator]().next()];
    for (const one of await Promise.allSettled(all))
      expect(one).toMatchObject({ status: 'rejected', reason: { code: 'ZDSUP_APP_UNRESPONSIVE' } });
    await until('all have hung up', () => played.sockets.every(({ destroyed }) => destroyed));
  });
});

test('an app that has gone is not running, whatever is asked of it', async () => {
  const shop: App = new ControlledApp('shop', join(temporaryFolder(), 'nobody.sock'));
  const all = [shop.status(), shop.describe(), shop.reload(), shop.watch()[Symbol.asyncIterator]().next()];
  for (const one of await Promise.allSettled(all))
    expect(one).toMatchObject({ status: 'rejected', reason: { code: 'ZDSUP_APP_NOT_RUNNING', exitStatus: 3 } });
});

describe('work', () => {
  test('has its steps told, and one that fails says what the command says', async () => {
    const error = { code: 'ZDSUP_ROLLOUT_FAILED', message: 'it never listened', hint: 'look', exitStatus: 1 };
    const { shop } = await play((_, say) => {
      say(step);
      say({ type: 'result', ok: false, exitStatus: 1, error, stderr: ['last words'] });
    });
    const steps: unknown[] = [];
    await expect(shop.reload({ onProgress: (one) => steps.push(one) })).rejects.toMatchObject({
      ...{ ...error, name: 'ZdsupError', stderr: ['last words'] },
    });
    expect(steps).toEqual([step]);
  });

  test('is waited for no longer once its signal aborts: the reason of that, and it hangs up', async () => {
    const played = await play((_, say) => say(step));
    const given = new AbortController();
    const why = new Error('enough');
    const reloading = played.shop.reload({ signal: given.signal, onProgress: () => given.abort(why) });
    await expect(reloading).rejects.toBe(why);
    await hungUp(played);
    await expect(played.shop.reload({ signal: given.signal })).rejects.toBe(why);
    expect(played.asked, 'the second was never asked for').toHaveLength(1);
  });

  test('whose onProgress throws rejects with that, and hangs up', async () => {
    const played = await play((_, say) => say(step));
    const why = new Error('a mistake of the caller');
    const throwing = (): never => {
      throw why;
    };
    await expect(played.shop.promote({ onProgress: throwing })).rejects.toBe(why);
    await hungUp(played);
  });
});

describe('watching', () => {
  const generations = async (snapshots: AsyncIterable<{ name: string; generation: number | null }>, most: number) => {
    const seen: unknown[] = [];
    for await (const { name, generation } of snapshots) {
      seen.push([name, generation]);
      if (seen.length === most) break;
    }
    return seen;
  };

  test('brings snapshots by the name that the app has here, and hangs up where the loop is left', async () => {
    const played = await play((_, say) => say(sample(7)));
    expect(await generations(played.shop.watch(), 1)).toEqual([['alice/api', 7]]);
    expect(played.asked).toEqual([{ command: 'watch' }]);
    await hungUp(played);
  });

  test('ends where the master ends, behind the last snapshot', async () => {
    const { shop } = await play((_, say) => {
      say(sample(7));
      say({ type: 'result', ok: true, exitStatus: 0, command: 'watch' });
    });
    expect(await generations(shop.watch(), 9)).toEqual([['alice/api', 7]]);
  });

  test('just ends where its signal aborts, and hangs up', async () => {
    const played = await play((_, say) => say(sample(7)));
    const given = new AbortController();
    const seen: unknown[] = [];
    for await (const { generation } of played.shop.watch({ signal: given.signal })) {
      seen.push(generation);
      given.abort();
    }
    expect(seen).toEqual([7]);
    await hungUp(played);
  });

  test('whose onProgress throws ends with that, and hangs up', async () => {
    const played = await play((_, say) => say(step));
    const why = new Error('a mistake of the caller');
    const throwing = (): never => {
      throw why;
    };
    await expect(generations(played.shop.watch({ onProgress: throwing }), 1)).rejects.toBe(why);
    await hungUp(played);
  });

  test('one of an older version is refused with what that says', async () => {
    const error = { code: 'ZDSUP_CONTROL_PROTOCOL', message: 'unknown command', exitStatus: 2 };
    const { shop } = await play((_, say) => say({ type: 'result', ok: false, exitStatus: 2, error }));
    await expect(generations(shop.watch(), 1)).rejects.toMatchObject(error);
  });
});
