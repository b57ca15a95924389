/** Root sees the apps of all users: one of them who has a socket answer nonsense keeps none of the others from being shown. */
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { askFor } from '../../src/cli/commands/status.js';
import { temporaryFolder } from '../helpers/cleanup.js';
import { onTestFinished } from '../helpers/side-by-side.js';

test.each([
  'nonsense',
  '{}',
  '{"type":"result","ok":false,"error":{"code":"ZDSUP_INTERNAL","message":"no"}}',
  '{"type":"result","ok":true,"command":"ping"}',
])('%s: it is shown as one that does not answer', async (answer) => {
  const socketPath = join(temporaryFolder(), 'shop.sock');
  const server = createServer((socket) => {
    socket.on('error', () => {}).once('data', () => socket.end(`${answer}\n`));
  });
  await new Promise<void>((listening) => server.listen(socketPath, listening));
  onTestFinished(() => void server.close());
  expect(await askFor({ name: 'alice/shop', socketPath, owner: 'alice' })).toMatchObject({
    name: 'alice/shop',
    state: 'unresponsive',
  });
  await expect(askFor({ name: 'shop', socketPath })).rejects.toMatchObject({ name: 'ZdsupError' });
});
