/** What the moves of a random history do to the fake world. Each is physically possible, or is left out. */
import type { Event, Policy } from '../../src/domain/types.js';
import type { Act, History, Move } from './histories.js';
import { PORTS } from './histories.js';
import type { Process, World } from './world.js';

const chosen = (world: World, pick: number, may: (process: Process) => boolean = () => true): Process | undefined => {
  const processes = [...world.processes.values()].filter(may);
  return processes[pick % processes.length];
};
const goesOn = (world: World, pick: number, may: (process: Process) => boolean): Event | undefined => {
  const process = chosen(world, pick, (candidate) => may(candidate) && world.next(candidate) !== undefined);
  return process && world.next(process);
};
const isOnItsWay = ({ fleet: { rollout } }: World): boolean =>
  rollout !== null && rollout.outcome === null && rollout.step !== 'canary';
const runs = (process: Process): boolean => process.helloAt !== null;

/** `pick` chooses among the processes that the move may concern, or is a number of ms. */
const MOVES: Record<Act, (world: World, pick: number) => Event | undefined> = {
  live: (world, pick) => goesOn(world, pick, () => true),
  leave: (world, pick) => goesOn(world, pick, ({ order }) => order !== 'none'),
  boot: (world) => {
    world.boot();
    return undefined;
  },
  /** The clock included; far enough for a worker or two to take traffic. */
  'go-on': (world, pick) => {
    for (let steps = pick % 16; steps > 0 && world.goOn(); steps--);
    return undefined;
  },
  crash: (world, pick) => {
    const process = chosen(world, pick);
    return process && { type: 'exited', id: process.id, code: 1, signal: null };
  },
  hang: (world, pick) => {
    const process = chosen(world, pick, ({ id }) => world.fleet.workers[id]?.status.state !== 'active');
    if (process) process.hung = true;
    return undefined;
  },
  'fail-probe': (world, pick) => {
    const process = chosen(world, pick, ({ probe }) => probe === 'asked');
    return process && { type: 'probe-failed', id: process.id, reason: 'answered 503' };
  },
  'fail-smoke': (world, pick) => {
    const process = chosen(world, pick, ({ smoke }) => smoke === 'asked');
    return process && { type: 'smoke-failed', id: process.id, reason: 'exited with code 1' };
  },
  'fail-warm-up': (world, pick) => {
    const process = chosen(world, pick, ({ warmUp }) => warmUp === 'asked');
    return process && { type: 'warmed-up', id: process.id, results: '/ 500 in 1 ms', failure: '/ answered 500' };
  },
  block: (world, pick) => {
    const process = chosen(world, pick, runs);
    return process && { type: 'unresponsive', id: process.id };
  },
  'ask-to-leave': (world, pick) => {
    const process = chosen(world, pick, runs);
    return process && { type: 'leaving', id: process.id };
  },
  outgrow: (world, pick) => {
    const process = chosen(world, pick, ({ id }) => world.fleet.workers[id]?.status.state === 'active');
    const cause = (['memory', 'age', 'requests'] as const)[pick % 3]!;
    return process && { type: 'outgrown', id: process.id, cause, what: `is past its limit (${cause})` };
  },
  recycle: (_, pick) => ({ type: 'recycle-requested', slot: pick % 5 }),
  scale: (_, pick) => ({ type: 'scale-requested', count: 1 + (pick % 5) }),
  weigh: (_, pick) => ({ type: 'weight-requested', weight: pick % 101 }),
  promote: () => ({ type: 'promote-requested' }),
  abort: () => ({ type: 'abort-requested' }),
  pause: () => ({ type: 'pause-requested' }),
  'promote-fully': () => ({ type: 'promote-requested', full: true }),
  'roll-back': (_, pick) =>
    pick % 4 > 0
      ? { type: 'rollback-requested' }
      : { type: 'rollback-requested', release: { id: 'r1', path: '/releases/r1', from: '/app' } },
  judge: ({ fleet: { judging } }, pick) =>
    judging === null
      ? undefined
      : {
          type: 'verdict',
          rolloutId: judging.rolloutId,
          verdict: {
            kind: (['good', 'good', 'good', 'inconclusive', 'bad'] as const)[pick % 5]!,
            reason: `look ${pick}`,
          },
        },
  speak: (world, pick) => {
    const process = chosen(world, pick, runs);
    return process && { type: 'ready-message', id: process.id };
  },
  'listen-elsewhere': (world, pick) => {
    const process = chosen(world, pick, runs);
    return process && { type: 'listening', id: process.id, key: 'tcp:6666', label: 'tcp:6666' };
  },
  answer: (world) => world.answer(),
  'fail-to-prepare': ({ preparing }) =>
    preparing === null ? undefined : { type: 'prepare-failed', rolloutId: preparing, reason: 'no such script' },
  'edit-release': ({ unchecked: [generation] }) =>
    generation === undefined ? undefined : { type: 'release-checked', generation, modified: true },
  /** As far as nobody has to decide. */
  'bring-in': (world) => {
    world.send({ type: 'rollout-requested', kind: 'reload', source: 'command', allowListeners: false });
    for (let steps = 0; isOnItsWay(world) && steps < 200 && world.goOn(); steps++);
    return undefined;
  },
  'crash-serving': (world, pick) => {
    const { serving, workers } = world.fleet;
    const process = chosen(world, pick, ({ id }) => {
      const worker = workers[id];
      return worker?.generation === serving && worker.status.state === 'active';
    });
    return process && { type: 'exited', id: process.id, code: 1, signal: null };
  },
  'fail-way-back': (world, pick) => {
    const { rollout } = world.fleet;
    if (!isOnItsWay(world) || rollout!.kind !== 'rollback') return undefined;
    if (world.preparing !== null)
      return { type: 'prepare-failed', rolloutId: world.preparing, reason: 'the folder was edited in place' };
    const process = chosen(world, pick, ({ generation }) => generation === rollout!.to);
    return process && { type: 'exited', id: process.id, code: 1, signal: null };
  },
  'hang-parked': (world, pick) => {
    const process = chosen(world, pick, ({ id }) => world.fleet.workers[id]?.status.state === 'parked');
    if (process) process.hung = true;
    return undefined;
  },
  /** Words that come too late. */
  stale: (world) => {
    world.send({ type: 'probe-passed', id: 100_000 });
    world.send({ type: 'release-checked', generation: 100_000, modified: true });
    return { type: 'prepared', rolloutId: 100_000, policy: world.policy };
  },
  wake: (world) => {
    world.wake();
    return undefined;
  },
  advance: (world, pick) => {
    world.now += pick;
    return { type: 'timer' };
  },
  stop: () => ({ type: 'stop-requested' }),
};

/** An app without a port has nothing that could be probed over HTTP. */
const fitting = (policy: Policy, { ports }: History): Policy =>
  ports === 'none' && policy.check === 'http' ? { ...policy, check: 'listening' } : policy;

export function play(history: History, world: World): void {
  world.policy = fitting(history.policy, history);
  world.ports = PORTS[history.ports];
  world.send({ type: 'rollout-requested', kind: 'reload', source: 'start', allowListeners: false });
  if (history.startsWell) world.settle();
  for (const move of history.moves) {
    const event = eventOf(move, world, history);
    if (event) world.send(event);
  }
}

function eventOf(move: Move, world: World, history: History): Event | undefined {
  if (move.act !== 'reload') return MOVES[move.act](world, move.pick);
  if (world.preparing === null) world.policy = fitting(move.policy, history);
  const { kind, source, allowListeners, weight } = move;
  return { type: 'rollout-requested', kind, source, allowListeners, weight };
}
