/** CPU and memory by proc(5): right, and without a descriptor left open. */
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { procUsageOf } from '../../src/master/proc-usage.js';
import { until } from '../helpers/until.js';

const start = (code: string): number => {
  const child = spawn(process.execPath, ['-e', code]);
  onTestFinished(() => void child.kill('SIGKILL'));
  return child.pid!;
};

test.runIf(process.platform === 'linux')(
  'who computes has CPU, who waits has none, both have memory, who has gone is left out',
  async () => {
    const [busy, idle] = [start('for (;;);'), start('setInterval(() => {}, 1000)')];
    const gone = 2 ** 22 + 1; // Beyond any pid_max.
    procUsageOf([busy, idle]);
    const usage = await until(
      'the busy one has used most of a core or what it gets of one, the idle one next to nothing',
      () => procUsageOf([busy, idle, gone]),
      (seen) => seen.get(busy)!.cpuPercent > 20 && seen.get(idle)!.cpuPercent < 5,
    );
    expect([...usage.keys()]).toEqual([busy, idle]);
    for (const { rssBytes } of usage.values()) expect(rssBytes).toBeGreaterThan(10 * 1024 * 1024);
    const files = readdirSync('/proc/self/fd').length;
    for (let n = 0; n < 50; n++) procUsageOf([busy, idle]);
    expect(readdirSync('/proc/self/fd').length).toBe(files);
  },
);
