/** Which sockets a generation has: what its workers opened and did not close again. */
import { expect, test } from 'vitest';
import { Scene } from './scene.js';

const ADMIN = 'tcp:9000';

function servingTwo(): Scene {
  const scene = new Scene({ instances: 2 });
  scene.start();
  for (const slot of [0, 1]) {
    const { id } = scene.worker(1, slot);
    scene.send({ type: 'listening', id, key: ADMIN, label: 'port 9000' });
  }
  return scene;
}

test('a server that the app closes in all its workers takes its socket along, and is asked of no respawn', () => {
  const scene = servingTwo();
  expect(scene.send({ type: 'closed', id: scene.worker(1, 0).id, key: ADMIN }).effects).toEqual([]);
  expect(scene.fleet.generations[1]!.listeners, 'the other one has it still').toHaveProperty([ADMIN]);
  const { effects } = scene.send({ type: 'closed', id: scene.worker(1, 1).id, key: ADMIN });
  expect(effects).toEqual([{ type: 'close-listeners' }]);
  expect(scene.fleet.generations[1]!.listeners).not.toHaveProperty([ADMIN]);
  scene.crash(scene.worker(1, 0, 'active'));
  expect(scene.fleet.generations[1]!.slotState[0]!.expected).not.toMatchObject({
    keys: expect.arrayContaining([ADMIN]),
  });
});

test('what the serving release has opened and closed again, the next one may open too: both only look whether a port is free', () => {
  const scene = servingTwo();
  for (const slot of [0, 1]) scene.send({ type: 'closed', id: scene.worker(1, slot).id, key: ADMIN });
  scene.reload();
  const { id } = scene.worker(2, 0);
  scene.send({ type: 'listening', id, key: ADMIN, label: 'port 9000' });
  expect(scene.fleet.rollout!.reason).toBeNull();
  scene.send({ type: 'closed', id, key: ADMIN });
  scene.settle();
  expect(scene.verdicts.at(-1)).toMatchObject({ outcome: 'succeeded' });
  expect(scene.reload()).toBeUndefined();
  scene.send({ type: 'listening', id: scene.worker(3, 0).id, key: ADMIN, label: 'port 9000' });
  expect(scene.fleet.rollout!.reason, 'the next but one as well').toBeNull();
});

test('a crash closes nothing: the respawn must open what its predecessor had', () => {
  const scene = servingTwo();
  scene.crash(scene.worker(1, 0));
  expect(scene.fleet.generations[1]!.slotState[0]!.expected).toMatchObject({ keys: expect.arrayContaining([ADMIN]) });
  expect(scene.fleet.generations[1]!.listeners).toHaveProperty([ADMIN]);
});

test("what a draining worker's own end closes stays open for its successors", () => {
  const scene = new Scene({ instances: 1 });
  scene.start();
  const old = scene.worker(1, 0);
  const [key] = Object.keys(old.listeners);
  scene.reload();
  while (scene.worker(1, 0).status.state !== 'draining') scene.goOn();
  expect(scene.send({ type: 'closed', id: old.id, key: key! })).toMatchObject({
    effects: [],
    ignored: 'it is leaving',
  });
});

test("an app that calls listen and says 'ready' in one breath is ready once it listens, and not ahead of it", () => {
  const scene = new Scene({ instances: 1, check: 'message' });
  scene.send({ type: 'rollout-requested', kind: 'reload', source: 'start', allowListeners: false });
  scene.send(scene.answer()!);
  const { id } = scene.worker(1, 0);
  for (const type of ['hello', 'listen-asked', 'ready-message'] as const) scene.send({ type, id });
  expect(scene.slots('starting')).toEqual(['1/0']);
  scene.send({ type: 'listening', id, key: 'tcp:3000', label: 'port 3000' });
  expect(scene.slots('active')).toEqual(['1/0']);
});

test('a listen that failed is waited for no longer', () => {
  const scene = new Scene({ instances: 1, check: 'message' });
  scene.send({ type: 'rollout-requested', kind: 'reload', source: 'start', allowListeners: false });
  scene.send(scene.answer()!);
  const { id } = scene.worker(1, 0);
  for (const type of ['hello', 'listen-asked', 'ready-message'] as const) scene.send({ type, id });
  scene.send({ type: 'listen-failed', id, what: 'port 80: EACCES' });
  expect(scene.slots('active')).toEqual(['1/0']);
});
