/** The examples whose packages are installed here alone: each by its README's own command, through a reload under load. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { copyExample, reloadUnderLoad, startExample } from '../helpers/examples.js';
import { freePort } from '../helpers/ports.js';
import { FRAMEWORKS } from './places.js';

test.each(['express', 'fastify'])('%s: a reload under load loses no request', async (example) => {
  const [port, project] = [await freePort(), copyExample(example, join(FRAMEWORKS, 'node_modules'))];
  const master = await startExample(project, example, { PORT: String(port) });
  const tally = await reloadUnderLoad(master, port);
  expect(tally.answeredBy.size, 'old and new workers have answered').toBeGreaterThan(1);
  expect((await master.run('stop')).code).toBe(0);
  await master.exited();
  if (example === 'fastify')
    expect(master.stdoutLines.filter((line) => line.includes('"msg":"closed"'))).toHaveLength(4);
});
