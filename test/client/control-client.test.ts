/** Whoever listens at a path that is called as a control socket need not be a master. */
import type { Socket } from 'node:net';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ControlledApp } from '../../src/api/controlled-app.js';
import { temporaryFolder } from '../helpers/cleanup.js';
import { onTestFinished } from '../helpers/side-by-side.js';

async function impostor(answer: string): Promise<ControlledApp> {
  const path = join(temporaryFolder(), 'shop.sock');
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on('error', () => {}).once('data', () => socket.write(`${answer}\n`));
  });
  await new Promise<void>((listening) => server.listen(path, listening));
  onTestFinished(() => {
    server.close();
    for (const socket of open) socket.destroy();
  });
  return new ControlledApp('shop', path);
}

test.each([
  '{}',
  '5',
  'null',
  '[]',
  '{"type":"result"}',
  '{"type":"result","ok":false}',
  '{"type":"result","ok":false,"error":{"code":"X"}}',
  '{"type":"sample"}',
  '{"type":"sample","app":5}',
  '{"type":"progress"}',
])('%s is an answer that none has given, whatever was asked', async (answer) => {
  const app = await impostor(answer);
  const refused = { name: 'ZdsupError', code: 'ZDSUP_CONTROL_PROTOCOL', exitStatus: 1 };
  await expect(app.status()).rejects.toMatchObject(refused);
  await expect(app.reload()).rejects.toMatchObject(refused);
  await expect(app.watch().next()).rejects.toMatchObject(refused);
});
