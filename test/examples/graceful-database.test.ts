/** examples/graceful-database: what was accepted is written, through reloads and a stop. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { copyExample, startExample } from '../helpers/examples.js';
import { startLoad } from '../helpers/load/client.js';
import { expectNothingLost } from '../helpers/load/load.js';
import { freePort } from '../helpers/ports.js';

test('graceful-database: every order that was accepted is committed, though its worker was retired behind the answer', async () => {
  const [port, project] = [await freePort(), copyExample('graceful-database')];
  const master = await startExample(project, 'graceful-database', { PORT: String(port), WRITE_MS: '100' });
  const orders: string[] = [];
  const load = startLoad({ port }, 3, {
    // Slower than one pool of four, even where one worker gets them all.
    write: async (socket) => {
      await new Promise((later) => setTimeout(later, 100));
      socket.write('POST / HTTP/1.1\r\nHost: app\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
    },
    closing: true,
    judge: ({ body }) => {
      const [, order] = /^accepted (.+)\n$/.exec(body) ?? [];
      if (!order) return `answered ${body}`;
      orders.push(order);
      return null;
    },
  });
  await load.reached(10);
  for (let reload = 1; reload <= 2; reload++) expect((await master.run('reload')).code).toBe(0);
  await expectNothingLost(load, 10);
  expect((await master.run('stop')).code).toBe(0);
  await master.exited();

  const lines = readFileSync(project.path('graceful-database/orders.log'), 'utf8').trim().split('\n');
  const written = (what: string): string[] =>
    lines.flatMap((line) => (line.startsWith(`${what} `) ? [line.slice(what.length + 1)] : [])).sort();
  expect(written('begin')).toEqual(orders.sort());
  expect(written('commit')).toEqual(orders);
  expect(master.stdoutLines.filter((line) => line === 'pool ended')).toHaveLength(6);
});
