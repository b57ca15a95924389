/** A worker without a free descriptor does not get what is sent to it, and nothing says so: once it has some, it serves as before. */
import { expect, test } from 'vitest';
import { ask, openConnection } from '../helpers/load/asking.js';
import { startNumbered } from '../helpers/numbered.js';

/** SIGUSR2 takes all descriptors that a worker may have, for a while. */
const APP = `
  const fs = require('node:fs');
  require('node:child_process').execFileSync('prlimit', ['--pid', String(process.pid), '--nofile=64:64']);
  process.on('SIGUSR2', () => {
    const eaten = [];
    try {
      for (;;) eaten.push(fs.openSync('/dev/null'));
    } catch {}
    setTimeout(() => { for (const fd of eaten) fs.closeSync(fd); }, 3_000);
  });
  require('node:http').createServer(handle).listen(process.env.PORT);`;

test('a worker that had no descriptor for the listening socket accepts from it once it has one', async () => {
  const { master, port } = await startNumbered({ app: APP, config: { instances: 2, sticky: 'ip' } });
  expect((await master.run('signal', 'SIGUSR2')).code).toBe(0);
  // The master accepted while there were two; the one that is left has to do it by itself.
  const { code, stderr } = await master.run('scale', '1');
  expect(code, stderr).toBe(0);
  const { pid } = await ask(await openConnection(port));
  expect(pid).toBe((await master.status()).workers[0]!.pid);
});
