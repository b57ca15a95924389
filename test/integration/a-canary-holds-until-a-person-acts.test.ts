/** `reload --weight`: some new workers beside all the old ones, until a person promotes or aborts; the commands tell the truth. */
import { describe, expect, test } from 'vitest';
import type { AppSnapshot } from '../../src/shared/snapshot.js';
import { killOwn } from '../helpers/cleanup.js';
import { freePort } from '../helpers/ports.js';
import type { Project } from '../helpers/project.js';
import { answering, makeProject } from '../helpers/project.js';
import type { Master } from '../helpers/zdsup.js';
import { startMaster } from '../helpers/zdsup.js';

async function start(instances = 2): Promise<{ master: Master; project: Project; port: number }> {
  const port = await freePort();
  const config = { name: 'shop', script: 'app.js', instances, minReady: 50, drainTimeout: '10s' };
  const project = makeProject({
    'app.js': answering('process.env.ZDSUP_GENERATION', port),
    'zdsup.config.json': JSON.stringify(config),
  });
  return { master: await startMaster({ cwd: project.folder, args: [] }), project, port };
}

const active = ({ workers }: AppSnapshot, generation: number): (number | null)[] =>
  workers.filter((worker) => worker.generation === generation && worker.state === 'active').map(({ pid }) => pid);

test.concurrent('it is held at each weight with the workers that this needs, and promoted at the end', async () => {
  const { master, port } = await start(4);
  const old = active(await master.status(), 1);

  const reload = await master.run('reload', '--weight', '5');
  expect(reload.code, reload.stderr).toBe(0);
  expect(reload.stdout).toContain(
    'shop: generation 2 gets 5 % of the traffic, generation 1 the rest; held there until you act, or it crashes or its figures give it up: zdsup canary',
  );
  expect(reload.stdout).toContain('zdsup canary shop <weight>, zdsup promote shop or zdsup abort shop');
  expect(reload.stderr).toContain('generation 2: starting 1 worker for 5 % of the traffic');
  const held = await master.status();
  expect(held).toMatchObject({
    generation: 1,
    weights: { 1: 95, 2: 5 },
    rollout: { from: 1, to: 2, step: 'canary', weight: 5, outcome: null },
  });
  expect(held.rollout?.release?.path).toBe(held.release?.path);
  const judged = await master.statusUntil('it is judged', ({ rollout }) => rollout?.verdict != null);
  expect(judged.rollout?.verdict).toEqual({
    kind: 'inconclusive',
    reason: expect.stringContaining('too little traffic'),
  });
  expect((await master.run('status')).stdout).toContain('canary     inconclusive: too little traffic');
  expect(active(held, 1)).toEqual(old);
  expect(active(held, 2)).toHaveLength(1);
  for (const command of ['status', 'describe'])
    expect((await master.run(command)).stdout).toContain(
      'to generation 2: canary, generation 1 95 %, generation 2 5 %; zdsup canary shop <weight>, promote or abort',
    );

  const more = await master.run('canary', 'shop', '50', '--json');
  expect(JSON.parse(more.stdout)).toMatchObject({ ok: true, command: 'canary', generation: 2, weight: 50 });
  expect(active(await master.status(), 2)).toHaveLength(2);

  expect((await master.run('canary', '0')).stdout).toContain('generation 2 gets 0 % of the traffic');
  const none = await master.statusUntil('one is left', (app) => app.workers.length === 5);
  expect(none).toMatchObject({ weights: { 1: 100, 2: 0 } });
  expect(active(none, 1)).toEqual(old);

  const promote = await master.run('promote');
  expect(promote.code, promote.stderr).toBe(0);
  expect(promote.stdout).toContain('shop: generation 2 serves, the old workers have gone');
  const after = await master.status();
  expect(after).toMatchObject({ generation: 2, weights: { 2: 100 }, rollout: { outcome: 'succeeded', weight: null } });
  expect(after.rollout).not.toHaveProperty('release');
  expect(active(after, 2)).toHaveLength(4);
  expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('2');
});

test.concurrent('one worker is enough: an old and a new one; 100 percent is the promotion', async () => {
  const { master } = await start(1);
  expect((await master.run('reload', '--weight', '50')).code).toBe(0);
  const held = await master.status();
  expect([active(held, 1).length, active(held, 2).length]).toEqual([1, 1]);
  const { code, stdout } = await master.run('canary', '100');
  expect(code).toBe(0);
  expect(stdout).toContain('generation 2 serves, the old workers have gone');
});

test.concurrent('--no-wait returns at once, and the rollout comes to its hold', async () => {
  const { master } = await start();
  const { code, stdout } = await master.run('reload', '--weight', '20', '--no-wait');
  expect(code).toBe(0);
  expect(stdout).toContain('accepted');
  await master.seen('it is held', ({ kind }) => kind === 'held');
  expect((await master.status()).rollout).toMatchObject({ step: 'canary', weight: 20 });
});

describe('an abort', () => {
  test.concurrent('of a hold leaves the old workers as they are', async () => {
    const { master } = await start();
    const old = active(await master.status(), 1);
    await master.run('reload', '--weight', '20');
    const { code, stdout } = await master.run('abort');
    expect(code).toBe(0);
    expect(stdout).toContain('shop: generation 2 was given up, generation 1 serves as before');
    const after = await master.statusUntil('the new one has gone', ({ workers }) => workers.length === 2);
    expect(after).toMatchObject({ generation: 1, weights: { 1: 100 } });
    expect(after.rollout).toMatchObject({ outcome: 'failed', aborted: true, reason: 'aborted by hand' });
    expect((await master.run('history')).stdout).toMatch(/ aborted .* aborted by hand/);
    expect(active(after, 1)).toEqual(old);
  });

  test.concurrent('ends a reload whose workers never listen: that one exits 1 and says so', async () => {
    const { master, project } = await start();
    project.write({ 'app.js': 'setInterval(() => {}, 1000);' });
    const reload = master.run('reload');
    await master.seen('a new worker boots', ({ kind, generation }) => kind === 'worker-started' && generation === 2);
    expect((await master.run('abort', 'shop')).code).toBe(0);
    const { code, stderr } = await reload;
    expect(code).toBe(1);
    expect(stderr).toContain('error: aborted by hand (ZDSUP_ROLLOUT_FAILED)');
    expect(stderr).toContain('hint: generation 1 goes on serving; zdsup reload shop brings it in again\n');
  });
});

test.concurrent('a canary that crashes is given up; no old worker is touched', async () => {
  const { master } = await start();
  const old = active(await master.status(), 1);
  await master.run('reload', '--weight', '20');
  const [canary] = active(await master.status(), 2);
  killOwn(canary!);
  const after = await master.statusUntil('it is given up', ({ rollout }) => rollout?.outcome === 'failed');
  expect(after.rollout?.reason).toContain('worker 0 of generation 2 was killed by SIGKILL');
  expect(active(after, 1)).toEqual(old);
  expect(after.weights).toEqual({ 1: 100 });
});

test.concurrent('while it is held, another reload and a scale are refused, a HUP waits, a stop ends all', async () => {
  const { master } = await start();
  await master.run('reload', '--weight', '20');
  for (const command of [['reload'], ['scale', '3']]) {
    const { code, stderr } = await master.run(...command);
    expect(code).toBe(4);
    expect(stderr).toContain('another rollout of shop is under way (generation 2, held at 20 %)');
    expect(stderr).toContain('zdsup promote shop brings it in, zdsup abort shop gives it up');
  }
  const more = await master.run('reload', '--weight', '40');
  expect(more.code).toBe(4);
  expect(more.stderr).toContain('zdsup canary shop 40 gives it 40 %');
  const check = await master.run('check');
  expect(check.code).toBe(0);
  expect(check.stdout).toContain(
    'ok: zdsup reload shop would let it in, once the rollout under way is over: zdsup status shop',
  );
  master.signal('SIGHUP');
  expect((await master.status()).rollout).toMatchObject({ step: 'canary', weight: 20 });
  expect((await master.run('promote')).code).toBe(0);
  await master.serving(3);
  await master.statusUntil('the reload of the HUP is over', ({ workers }) => workers.length === 2);
  await master.run('reload', '--weight', '20');
  const { release, rollout } = await master.status();
  const stop = await master.run('stop');
  expect(stop.code).toBe(0);
  const words = `generation 4 was at 20 %: a later start runs release ${rollout?.release?.id} (${release?.path}) with its config`;
  expect(stop.stdout).toContain(`shop: stopped; ${words}`);
  await master.seen('the log says so', ({ msg }) => msg.includes(words));
  expect((await master.exited()).code).toBe(0);
});

test.concurrent('what makes no sense now is refused, with the next command', async () => {
  const { master } = await start();
  const refusals: [args: string[], code: number, words: string, hint: string][] = [
    [['canary', '5'], 1, 'no rollout of shop is under way', 'zdsup reload shop --weight 5'],
    [['promote'], 1, 'no rollout of shop is under way', 'zdsup reload shop --weight 5'],
    [['abort'], 1, 'no rollout of shop is under way', 'zdsup status shop'],
    [['restart', '--weight', '5'], 2, "unknown option '--weight'", 'zdsup restart --help'],
  ];
  const expectRefused = async ([args, status, words, hint]: (typeof refusals)[number]): Promise<void> => {
    const { code, stderr } = await master.run(...args);
    expect(code, args.join(' ')).toBe(status);
    expect(stderr).toContain(words);
    expect(stderr).toContain(hint);
  };
  for (const refusal of refusals) await expectRefused(refusal);
  await master.run('reload', '--weight', '20');
  await expectRefused([['canary', '20'], 1, 'generation 2 of shop gets 20 % already', 'zdsup promote shop']);
});

describe('a weight that is none is refused with exit 2, and changes nothing', () => {
  test.concurrent('of a reload and of canary', async () => {
    const { master } = await start(1);
    for (const weight of ['-5', '0', '100', '101', '2.5', 'half', '']) {
      const { code, stderr } = await master.run('reload', '--weight', weight);
      expect(code, weight).toBe(2);
      expect(stderr).toContain('ZDSUP_USAGE');
      expect(stderr).toContain('Allowed is a whole number from 1 to 99');
    }
    for (const weight of ['-5', '101', '1000', '2.5', 'half', '']) {
      const { code, stderr } = await master.run('canary', weight);
      expect(code, weight).toBe(2);
      expect(stderr).toContain('is no weight');
      expect(stderr).toContain('a whole number of percent from 0 to 100');
    }
    const named = await master.run('canary', 'shop', '-1');
    expect(named.stderr).toContain('canary: -1 is no weight');
    expect(named.stderr).toContain('zdsup canary shop 50');
    expect((await master.run('canary')).stderr).toContain('no weight was given');
    expect((await master.status()).rollout).toMatchObject({ id: 1, outcome: 'succeeded' });
  });
});
