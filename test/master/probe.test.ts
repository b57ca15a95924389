/** A probe that cannot even connect leaves nothing open. */

import type * as net from 'node:net';
import type { Server } from 'node:net';
import { expect, test, vi } from 'vitest';
import { startProbe } from '../../src/master/probe.js';
import type { ReadyConfig } from '../../src/shared/config.js';

const made = vi.hoisted(() => ({ servers: [] as Server[] }));

vi.mock('node:net', async (importActual) => {
  const actual = await importActual<typeof net>();
  return {
    ...actual,
    createServer: (...args: Parameters<typeof net.createServer>) => {
      const server = actual.createServer(...args);
      made.servers.push(server);
      return server;
    },
    connect: () => new actual.Socket().destroy(Object.assign(new Error('connect EMFILE'), { code: 'EMFILE' })),
  };
});

test('the port that it had opened is closed where nothing can connect to it', async () => {
  const ready = { initialDelayMs: 0, periodMs: 60_000, timeoutMs: 60_000, successes: 1 } as ReadyConfig;
  const target = { protocol: 'http', path: '/healthz', host: 'localhost', deliver() {} } as const;
  const reason = await new Promise((failed) => {
    const probe = startProbe(() => target, ready, {
      passed() {},
      failed(why) {
        probe.stop();
        failed(why);
      },
    });
  });
  expect(reason).toBe('/healthz: connect EMFILE');
  expect(made.servers.map(({ listening }) => listening)).toEqual([false]);
});
