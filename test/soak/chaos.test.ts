/**
 * Random faults and commands upon one app, under mixed load: nothing is refused, nothing hangs, and what is lost was in flight on a
 * worker that was killed. `CHAOS_SEED=7 CHAOS_SECONDS=300 npm run test:chaos`; the seed gives the same deeds, not the same instants.
 */
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFailed, test } from 'vitest';
import type { Kind } from '../helpers/chaos/clients.js';
import { startClients } from '../helpers/chaos/clients.js';
import { Deeds } from '../helpers/chaos/deeds.js';
import { judgeLosses } from '../helpers/chaos/excuses.js';
import { Random } from '../helpers/chaos/random.js';
import type { Scene } from '../helpers/chaos/scene.js';
import { GOOD, INSTANCES, makeScene, releaseOf } from '../helpers/chaos/scene.js';
import { descriptorsOf, noneInCloseWait } from '../helpers/kernel.js';
import { until } from '../helpers/until.js';

const SEED = Number(process.env.CHAOS_SEED ?? Math.floor(Math.random() * 2 ** 31));
const SECONDS = Number(process.env.CHAOS_SECONDS ?? 300);
const CLIENTS: Kind[] = (['keep-alive', 'per-request', 'upload', 'stream'] as const).flatMap((kind) =>
  Array<Kind>(kind === 'keep-alive' || kind === 'per-request' ? 6 : 4).fill(kind),
);
/** What a master may hold more than at the start: a timer's, a log's. */
const SPARE_DESCRIPTORS = 3;

const isQuiet = (scene: Scene, workers: number): Promise<unknown> =>
  until(
    `running, no rollout, ${workers} active workers`,
    () => scene.snapshot(),
    (app) =>
      app.state === 'running' &&
      (app.rollout === null || app.rollout.outcome !== null) &&
      app.workers.length === workers &&
      app.workers.every(({ state, generation }) => state === 'active' && generation === app.generation),
    90_000,
  );

test(`chaos for ${SECONDS} s, CHAOS_SEED=${SEED}`, async () => {
  console.log(`CHAOS_SEED=${SEED} CHAOS_SECONDS=${SECONDS}`);
  const scene = await makeScene('chaos');
  const { master } = scene;
  const deeds = new Deeds(scene, new Random(SEED));
  onTestFailed(() => {
    const file = join(tmpdir(), `zdsup-chaos-${SEED}.log`);
    const log = master.log.map((line) => `${line.time} | ${line.msg}`);
    writeFileSync(file, `${[...deeds.story, ...log].sort().join('\n')}\n\n${master.stderrLines.join('\n')}\n`);
    console.log(`what happened: ${file}`);
  });
  // What is loaded late is loaded, and the first generation has gone.
  expect(await scene.ask({ command: 'reload' })).toMatchObject({ ok: true });
  await isQuiet(scene, INSTANCES);
  const descriptorsAtFirst = descriptorsOf(master.pid);

  const clients = startClients(scene.port, CLIENTS);
  await deeds.doFor(SECONDS * 1_000);
  await isQuiet(scene, deeds.scaled);
  const outcome = await clients.stop();

  const served = master.log.filter(({ kind }) => kind === 'serving').at(-1)!;
  const ended = new Map(deeds.killed);
  for (const [pid, at] of deeds.leftStopped) {
    await until(`${pid}, which stood still for ever, was ended`, () => !scene.isLeft(pid), Boolean, 30_000);
    ended.set(pid, at);
  }
  const { excused, unexcused } = judgeLosses(outcome.losses, scene.journal(), ended);
  const answered = Object.values(outcome.answered).reduce((sum, count) => sum + count, 0);
  console.log(
    `${answered} answered ${JSON.stringify(outcome.answered)}, ${excused.length} lost with the ${ended.size} workers that were killed, ` +
      `${unexcused.length} without excuse; the longest wait for an answer was ${outcome.longestMs} ms; deeds ${JSON.stringify(deeds.counts)}`,
  );
  expect(unexcused, 'lost without excuse').toEqual([]);
  expect(deeds.wrong, 'answers of commands').toEqual([]);
  expect(answered).toBeGreaterThan(SECONDS * 10);
  expect([...outcome.releases].filter((release) => !(GOOD as readonly string[]).includes(release))).toEqual([]);

  const after = await scene.snapshot();
  expect(after).toMatchObject({ state: 'running', generation: served.generation, masterPid: master.pid });
  expect(GOOD).toContain(releaseOf(after));
  expect(await releaseThatAnswers(scene)).toBe(releaseOf(after));

  // It obeys as ever.
  const next = GOOD.find((release) => release !== releaseOf(after))!;
  scene.link(next);
  expect(await scene.ask({ command: 'reload' })).toMatchObject({ ok: true });
  expect(await releaseThatAnswers(scene)).toBe(next);
  expect(await scene.ask({ command: 'scale', to: String(INSTANCES) })).toMatchObject({ ok: true });
  await isQuiet(scene, INSTANCES);

  const current = (await scene.snapshot()).workers.map(({ pid }) => pid);
  const everForked = [...new Set([...master.workerPids, ...scene.journal().pids])];
  await until(
    'no process is left but the current workers',
    () => everForked.filter((pid) => !current.includes(pid) && scene.isLeft(pid)),
    (left) => left.length === 0,
  );
  expect(current.every((pid) => pid !== null && everForked.includes(pid))).toBe(true);
  await until(
    `the master has ${descriptorsAtFirst} descriptors again`,
    () => descriptorsOf(master.pid),
    (count) => count <= descriptorsAtFirst + SPARE_DESCRIPTORS,
  );
  await noneInCloseWait(scene.port);

  expect(await scene.ask({ command: 'stop' })).toMatchObject({ ok: true });
  expect(await master.exited()).toEqual({ code: 0, signal: null });
  expect(everForked.filter(scene.isLeft)).toEqual([]);
});

const releaseThatAnswers = async ({ port }: Scene): Promise<string> =>
  (await (await fetch(`http://127.0.0.1:${port}/plain/last`)).text()).split(' ')[0]!;
