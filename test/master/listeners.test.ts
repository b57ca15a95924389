/** Who asks for a socket, and what becomes of it where the asker goes. */
import { once } from 'node:events';
import { linkSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { ListenerClient } from '../../src/master/listeners.js';
import type { ListenSpec } from '../../src/shared/messages.cjs';
import { temporaryFolder } from '../helpers/cleanup.js';

// As built: what these import is CommonJS in TypeScript, which vitest does not read.
const built = (path: string): string => new URL(`../../dist/${path}`, import.meta.url).href;
const { Listeners } = (await import(built('master/listeners.js'))) as typeof import('../../src/master/listeners.js');
const { heldLinkOf } = (await import(built('shared/held-link.cjs'))) as typeof import('../../src/shared/held-link.cjs');

/** A unix socket's file as a killed master leaves it: nobody listens there, and its link shows whose it was. */
async function stalePath(): Promise<string> {
  const folder = temporaryFolder();
  const [bound, path] = [join(folder, 'bound.sock'), join(folder, 'app.sock')];
  const server = createServer().listen(bound);
  await once(server, 'listening');
  linkSync(bound, path);
  linkSync(path, heldLinkOf(path));
  server.close();
  await once(server, 'close');
  return path;
}

function client(): ListenerClient & { owns: string[] } {
  const owns: string[] = [];
  return { owns, sendOwn: (key) => owns.push(key), sendListening() {}, sendListenFailed() {} };
}

test('a worker that dies while its stale path is looked at owes nothing: the next one that asks is appointed', async () => {
  const listeners = new Listeners();
  const path = await stalePath();
  const spec = {
    address: path,
    port: -1,
    addressType: -1,
    flags: 0,
    index: 0,
    protocol: 'http',
  } satisfies ListenSpec;
  const [dead, next] = [client(), client()];
  const asked = listeners.ask(dead, 1, spec, () => {});
  listeners.forget(dead);
  await asked;
  await listeners.ask(next, 1, spec, () => {});
  expect(dead.owns).toEqual([]);
  expect(next.owns).toEqual([`unix:${path}`]);
  listeners.owned(next, `unix:${path}`, 0);
  listeners.closeAllBut(new Set());
});
