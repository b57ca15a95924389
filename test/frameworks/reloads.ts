/** One app under the master, and the ten reloads that each framework goes through. */
import { expect } from 'vitest';
import { freePort } from '../helpers/ports.js';
import { makeProject } from '../helpers/project.js';
import type { Master } from '../helpers/zdsup.js';
import { startMaster } from '../helpers/zdsup.js';

export const RELOADS = 10;

export async function startApp(
  script: string,
  env: Record<string, string> = {},
  config: Record<string, unknown> = {},
): Promise<{ master: Master; port: number }> {
  const port = await freePort();
  const project = makeProject({
    'zdsup.config.json': JSON.stringify({
      name: 'framework',
      script,
      instances: 2,
      minReady: 50,
      env: { PORT: port, NODE_ENV: 'production', ...env },
      ...config,
    }),
  });
  const master = await startMaster({ cwd: project.folder, args: [], wait: false });
  await master.serving(1, 60_000);
  return { master, port };
}

/** `after` says when the next one may begin. */
export async function reloadTenTimes(
  master: Master,
  after: (generation: number) => Promise<unknown> = async () => {},
): Promise<void> {
  for (let reload = 1; reload <= RELOADS; reload++) {
    const { code, stderr } = await master.run('reload');
    expect(code, stderr).toBe(0);
    await after(reload + 1);
  }
}

/** Figures of the run, for the documentation to quote. */
export function tell(name: string, figures: string): void {
  console.log(`${name}, Node ${process.versions.node}: ${RELOADS} reloads, ${figures}`);
}
