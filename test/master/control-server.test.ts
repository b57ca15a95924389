/** Who is told of steps and reads none, as a `status --watch` that was stopped for the weekend, does not have the master keep them all. */
import { connect } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { listenForControl } from '../../src/master/control-server.js';
import type { Progress } from '../../src/shared/control-protocol.js';
import { temporaryFolder } from '../helpers/cleanup.js';
import { onTestFinished } from '../helpers/side-by-side.js';

const STEP: Progress = {
  type: 'progress',
  kind: 'warning',
  at: '2026-11-26T12:00:00.000Z',
  message: 'x'.repeat(1_000),
};

test('a client that reads no step is dropped after some megabytes of them', async () => {
  const path = join(temporaryFolder(), 'control.sock');
  let sent = 0;
  let over = (): void => {};
  const isOver = new Promise<void>((resolve) => (over = resolve));
  const server = await listenForControl(path, async (_, { send, left }) => {
    let here = true;
    void left.then(() => (here = false));
    while (here && sent < 50_000) {
      for (let count = 0; count < 100; count++) send(STEP);
      sent += 100;
      await new Promise(setImmediate);
    }
    over();
    return { type: 'result', ok: true, exitStatus: 0, command: 'watch' };
  });
  onTestFinished(() => server.close());
  const client = connect(path).on('error', () => {});
  onTestFinished(() => void client.destroy());
  client.pause().write('{"command":"watch"}\n');
  await isOver;
  expect(sent).toBeLessThan(50_000);
});
