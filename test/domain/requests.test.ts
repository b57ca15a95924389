/** Who asks when: reloads that come during a rollout, before a start, during a stop. */
import { describe, expect, test } from 'vitest';
import { Scene } from './scene.js';

const rollouts = (scene: Scene): (string | null)[] => scene.verdicts.map(({ outcome }) => outcome);

describe('during a rollout', () => {
  test('a second reload command is refused', () => {
    const scene = new Scene().start();
    expect(scene.reload()).toBeUndefined();
    expect(scene.reload()).toBe('another rollout is under way');
    scene.settle();
    expect(rollouts(scene)).toEqual(['succeeded', 'succeeded']);
  });

  test('two HUPs count as one more reload after it', () => {
    const scene = new Scene().start();
    scene.reload();
    expect(scene.reload('signal')).toBeUndefined();
    expect(scene.reload('signal')).toBeUndefined();
    expect(rollouts(scene)).toEqual(['succeeded']);
    scene.settle();
    expect(rollouts(scene)).toEqual(['succeeded', 'succeeded', 'succeeded']);
    expect(scene.fleet.serving).toBe(3);
  });

  test('a HUP is carried out also after a rollout that fails', () => {
    const scene = new Scene().start();
    scene.reload();
    scene.reload('signal');
    scene.crash(scene.worker(2, 0));
    scene.settle();
    expect(rollouts(scene)).toEqual(['succeeded', 'failed', 'succeeded']);
    expect(scene.fleet.serving).toBe(3);
  });

  test.for(['abort-requested', 'rollback-requested'] as const)(
    'a HUP that waited is dropped, and told, where %s gives the rollout up',
    (type) => {
      const scene = new Scene().start();
      scene.reload();
      scene.reload('signal');
      const { effects } = scene.send({ type });
      expect(effects).toContainEqual(
        expect.objectContaining({ kind: 'warning', message: expect.stringContaining('a HUP asked for meanwhile') }),
      );
      scene.settle();
      expect(rollouts(scene)).toEqual(['succeeded', 'failed']);
      expect(scene.fleet.serving).toBe(1);
      scene.reload('signal');
      scene.settle();
      expect(rollouts(scene)).toEqual(['succeeded', 'failed', 'succeeded']);
    },
  );

  test('a reload command during the abort is refused', () => {
    const scene = new Scene().start();
    scene.reload();
    scene.boot().advance(1_000);
    scene.advance(100);
    scene.crash(scene.worker(2, 1));
    expect(scene.fleet.rollout!.step).toBe('aborting');
    expect(scene.reload()).toBe('another rollout is under way');
  });

  test('a HUP while the first start is under way reloads once it serves', () => {
    const scene = new Scene();
    scene.send({ type: 'rollout-requested', kind: 'reload', source: 'start', allowListeners: false });
    scene.send({ type: 'rollout-requested', kind: 'reload', source: 'signal', allowListeners: false });
    scene.settle();
    expect(scene.fleet.serving).toBe(2);
  });
});

describe('once a stop was asked for', () => {
  test.for(['command', 'signal'] as const)('a reload by %s is refused', (source) => {
    const scene = new Scene().start();
    scene.send({ type: 'stop-requested' });
    expect(scene.reload(source)).toBe('the master is stopping');
  });

  test('a HUP that waited is dropped', () => {
    const scene = new Scene().start();
    scene.reload();
    scene.reload('signal');
    scene.send({ type: 'stop-requested' });
    scene.settle();
    expect(scene.fleet.ended).toBe(true);
    expect(rollouts(scene)).toEqual(['succeeded', 'failed']);
  });
});

describe('a first start that fails', () => {
  test('ends the master as failed when its workers have gone, and that is the last effect of all', () => {
    const scene = new Scene({ instances: 2 });
    scene.send({ type: 'rollout-requested', kind: 'reload', source: 'start', allowListeners: false });
    scene.send(scene.answer()!);
    scene.crash(scene.worker(1, 0));
    expect(scene.fleet.ended).toBe(false);
    scene.settle();
    expect(scene.effects.at(-1)).toEqual({ type: 'end', failed: true });
    expect(scene.verdicts).toMatchObject([{ from: null, outcome: 'failed' }]);
  });

  test('because nothing could be prepared ends the master at once', () => {
    const scene = new Scene();
    scene.send({ type: 'rollout-requested', kind: 'reload', source: 'start', allowListeners: false });
    const { effects } = scene.send({ type: 'prepare-failed', rolloutId: 1, reason: 'no such script: /x.js' });
    expect(effects).toContainEqual({ type: 'end', failed: true });
  });

  test.for(['command', 'signal'] as const)(
    'is final while its workers still drain: a reload by %s does not revive it',
    (source) => {
      const scene = new Scene({ instances: 2 });
      scene.send({ type: 'rollout-requested', kind: 'reload', source: 'start', allowListeners: false });
      scene.send(scene.answer()!);
      const { id } = scene.worker(1, 0);
      scene.send({ type: 'hello', id });
      scene.send({ type: 'listening', id, key: 'tcp:3000', label: 'http :3000' });
      scene.crash(scene.worker(1, 1));
      expect(scene.slots('draining')).toEqual(['1/0']);
      scene.reload(source);
      scene.settle();
      expect(scene.effects.at(-1)).toEqual({ type: 'end', failed: true });
      expect(scene.everForked.size).toBe(2);
    },
  );
});

describe('words that come too late', () => {
  test('are ignored: of a worker, a rollout or a generation that has gone', () => {
    const scene = new Scene({ instances: 1 }).start();
    scene.reload();
    scene.settle();
    expect(scene.send({ type: 'hello', id: 1 }).ignored).toBe('that worker is gone');
    expect(scene.send({ type: 'exited', id: 1, code: 0, signal: null }).ignored).toBe('that worker is gone');
    expect(scene.send({ type: 'prepared', rolloutId: 1, policy: scene.policy }).ignored).toBe('that rollout is over');
    expect(scene.send({ type: 'prepare-failed', rolloutId: 1, reason: 'late' }).ignored).toBe('that rollout is over');
    expect(scene.send({ type: 'release-checked', generation: 1, modified: true }).ignored).toBe(
      'that generation is gone',
    );
  });
});
