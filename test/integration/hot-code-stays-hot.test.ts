/**
 * A rollout has the serving workers measure their answers, for its verdict, and then drain. What V8 has compiled for their traffic stays: to throw it away
 * there would be to slow a worker down in the very moment in which others boot beside it.
 */
import { expect, test } from 'vitest';
import { startLoad } from '../helpers/load/client.js';
import { keepAlive } from '../helpers/load/exchanges.js';
import { expectNothingLost } from '../helpers/load/load.js';
import { freePort } from '../helpers/ports.js';
import { answering, makeProject } from '../helpers/project.js';
import { until } from '../helpers/until.js';
import { startMaster } from '../helpers/zdsup.js';

/** By then all of a request's way is compiled for speed. */
const HOT_REQUESTS = 20_000;
/** Seen are none; some 25 where connections change their shape, 5 where the numbers of timers do. */
const FALLEN = 2;
/** Node's functions that each request goes through; those that end a connection are another thing where connections leave. */
const ON_THE_WAY = /<JSFunction (onParserExecute\w*|parserOn\w+|resOnFinish|resetSocketTimeout|emitReadable_|flow) /;

test('a worker that has run hot keeps its compiled code when a rollout begins, and while it drains', {
  timeout: 120_000,
}, async () => {
  const port = await freePort();
  const config = { name: 'hot', script: 'app.js', soak: '1m' };
  const project = makeProject({
    'app.js': answering('process.env.ZDSUP_GENERATION', port),
    'zdsup.config.json': JSON.stringify({ ...config, nodeArgs: ['--trace-deopt'] }),
  });
  const master = await startMaster({ cwd: project.folder, args: [] });
  const fallen = (): string[] => master.stdoutLines.filter((line) => line.includes('reason: wrong map'));
  const load = startLoad({ port }, 10, keepAlive());
  await until('it is hot', () => load.tally.answered >= HOT_REQUESTS, Boolean, 60_000);

  project.write({ 'zdsup.config.json': JSON.stringify(config) }); // The new worker's first steps are not what is looked at.
  const before = fallen().length;
  const reload = master.run('reload');
  await master.seen('the new one serves', ({ kind, generation }) => kind === 'worker-active' && generation === 2);
  const since = fallen().slice(before);
  expect(since.length, since.join('\n')).toBeLessThanOrEqual(FALLEN);
  expect((await reload).code).toBe(0);

  await master.seen('the old one is gone', ({ kind }) => kind === 'drained');
  const onTheWay = fallen()
    .slice(before + since.length)
    .filter((line) => ON_THE_WAY.test(line));
  expect(onTheWay, 'while it drained').toEqual([]);
  await expectNothingLost(load, HOT_REQUESTS);
});
