/** fixtures/numbered-app, or an app of a test's own in its manner, under a master. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import type { TortureTally } from './load/torture-tally.js';
import { badCount, closedCount, tallyLine } from './load/torture-tally.js';
import { freePort } from './ports.js';
import { makeProject } from './project.js';
import type { Master } from './zdsup.js';
import { startMaster } from './zdsup.js';

const FIXTURE = fileURLToPath(new URL('../fixtures/numbered-app/', import.meta.url));

export interface Numbered {
  master: Master;
  port: number;
  name: string;
  /** What a request waits for that says `until=<gate.path>`. */
  gate: { path: string; open(): void };
  /** What the workers that have ended have seen. */
  seenSoFar(): Seen;
  /** Ends the master and its workers, and says what the workers have seen in all. */
  seenByWorkers(): Promise<Seen>;
}

export interface Seen {
  requests: number;
  /** Accepted or handed over. */
  connections: number;
}

export interface NumberedOptions {
  /** Source of an app that takes `handle` and the like from the fixture. @default the fixture's own */
  app?: string;
  env?: Record<string, string | number>;
  config?: Record<string, unknown>;
}

export async function startNumbered({ app, env = {}, config = {} }: NumberedOptions = {}): Promise<Numbered> {
  const port = await freePort();
  const name = 'numbered';
  const project = makeProject(
    app === undefined
      ? {}
      : { 'app.cjs': `const { handle, headers, answer } = require('${join(FIXTURE, 'handle.cjs')}');\n${app}` },
  );
  const tally = project.path('tally');
  project.write({
    'zdsup.config.json': JSON.stringify({
      name,
      script: app === undefined ? join(FIXTURE, 'app.cjs') : 'app.cjs',
      instances: 2,
      minReady: 50,
      env: { PORT: port, TALLY: tally, ...env },
      ...config,
    }),
  });
  const master = await startMaster({ cwd: project.folder, args: [] });
  return {
    master,
    port,
    name,
    gate: { path: project.path('open'), open: () => project.write({ open: '' }) },
    seenSoFar: () => read(tally),
    async seenByWorkers() {
      await master.run('stop');
      await master.exited();
      return read(tally);
    },
  };
}

function read(tally: string): Seen {
  const seen = { requests: 0, connections: 0 };
  if (!existsSync(tally)) return seen;
  for (const line of readFileSync(tally, 'utf8').trim().split('\n')) {
    const worker = JSON.parse(line) as Seen;
    seen.requests += worker.requests;
    seen.connections += worker.connections;
  }
  return seen;
}

/** Every request got its answer, whole, in its turn, once. */
export const expectNothingBad = (tally: TortureTally): void => expect(badCount(tally), tallyLine(tally)).toBe(0);

/** And the server closed no connection. */
export function expectUnbroken(tally: TortureTally): void {
  expectNothingBad(tally);
  expect(closedCount(tally), tallyLine(tally)).toBe(0);
}

export async function reload(master: Master): Promise<void> {
  const { code, stderr } = await master.run('reload');
  expect(code, stderr).toBe(0);
}
