/** Random histories: policies, and moves of the world and of the people who run the app. */
import * as fc from 'fast-check';
import type { CanaryPolicy, Policy, RolloutKind } from '../../src/domain/types.js';
import type { World } from './world.js';

/** Steps that rise, some of them until a person acts. */
function canaries(): fc.Arbitrary<CanaryPolicy> {
  const weights = fc.uniqueArray(fc.integer({ min: 1, max: 99 }), { minLength: 1, maxLength: 4 });
  return fc.record({
    steps: weights.chain((chosen) =>
      fc.tuple(
        ...chosen
          .toSorted((a, b) => a - b)
          .map((weight) => fc.record({ weight: fc.constant(weight), pauseMs: fc.constantFrom(null, 1_000, 60_000) })),
      ),
    ),
    inconclusive: fc.constantFrom('wait', 'pause'),
    sticky: fc.boolean(),
  });
}

export const policies: fc.Arbitrary<Policy> = fc
  .record({
    instances: fc.integer({ min: 1, max: 5 }),
    check: fc.constantFrom('listening', 'message', 'http'),
    readyDeadlineMs: fc.integer({ min: 5_000, max: 60_000 }),
    minReadyMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 3_000 })),
    surge: fc.integer({ min: 0, max: 3 }),
    unavailable: fc.integer({ min: 0, max: 3 }),
    atomic: fc.boolean(),
    drainTimeoutMs: fc.integer({ min: 0, max: 60_000 }),
    killTimeoutMs: fc.integer({ min: 0, max: 5_000 }),
    stopTimeoutMs: fc.integer({ min: 0, max: 25_000 }),
    backoff: fc.record({
      initialMs: fc.integer({ min: 0, max: 500 }),
      factor: fc.integer({ min: 1, max: 3 }),
      capMs: fc.integer({ min: 500, max: 30_000 }),
      jitter: fc.constantFrom(0, 0.2, 1),
      resetAfterMs: fc.integer({ min: 1_000, max: 60_000 }),
    }),
    maxDraining: fc.integer({ min: 1, max: 3 }),
    sticky: fc.boolean(),
    smoke: fc.constantFrom(false, false, false, true),
    warmup: fc.constantFrom('none', 'none', 'wanted', 'required'),
    crashLoop: fc.record({ count: fc.integer({ min: 1, max: 5 }), windowMs: fc.integer({ min: 1_000, max: 60_000 }) }),
    canary: fc.oneof({ weight: 2, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: canaries() }),
    soakMs: fc.constantFrom(0, 5_000, 30_000),
    keepWarmMs: fc.constantFrom(0, 20_000, 600_000),
    limits: fc.constant({ memory: null, ageMs: null, requests: null }), // Who is past one is told to the core.
  })
  .map((policy) => ({ ...policy, configuredInstances: policy.instances }))
  .filter(({ surge, unavailable }) => surge > 0 || unavailable > 0);

/** Which ports the app opens: the same in every worker, one more in slot 0, or none at all (a queue worker). */
export const PORTS = {
  same: () => ['tcp:3000'],
  more: (slot: number) => (slot === 0 ? ['tcp:3000', 'tcp:9000'] : ['tcp:3000']),
  none: () => [],
} satisfies Record<string, World['ports']>;

/** How often each move comes up: mostly a fleet that gets on. */
const USUAL = {
  live: 12,
  boot: 6,
  'go-on': 6,
  leave: 3,
  crash: 3,
  hang: 2,
  'fail-probe': 2,
  'fail-smoke': 1,
  'fail-warm-up': 3,
  block: 2,
  'ask-to-leave': 1,
  outgrow: 4,
  recycle: 1,
  scale: 3,
  weigh: 4,
  promote: 2,
  abort: 1,
  pause: 1,
  'promote-fully': 1,
  'roll-back': 2,
  judge: 6,
  speak: 2,
  answer: 5,
  'fail-to-prepare': 1,
  'edit-release': 2,
  stale: 1,
  wake: 7,
  advance: 3,
};
const STOP = { stop: 1 };
const STRAY = { 'listen-elsewhere': 1 };

/** Releases that come in and turn bad, and ways back that cannot be gone. */
const TROUBLE = { 'bring-in': 40, 'crash-serving': 40, 'fail-way-back': 30, 'hang-parked': 10 };

export type Act = keyof typeof USUAL | keyof typeof STOP | keyof typeof STRAY | keyof typeof TROUBLE;
export type Move =
  | { act: Act; pick: number }
  | {
      act: 'reload';
      policy: Policy;
      kind: RolloutKind;
      source: 'command' | 'signal' | 'watch';
      allowListeners: boolean;
      weight: number | undefined;
    };

const reload = (policy: fc.Arbitrary<Policy>): fc.Arbitrary<Move> =>
  fc.record({
    act: fc.constant('reload'),
    policy,
    kind: fc.constantFrom('reload', 'reload', 'restart'),
    source: fc.constantFrom('command', 'command', 'signal', 'watch'),
    allowListeners: fc.boolean(),
    weight: fc.oneof(fc.constant(undefined), fc.integer({ min: 1, max: 99 })),
  });

const movesOf = (weights: Record<string, number>, policy = policies): fc.Arbitrary<Move> =>
  fc.oneof(
    { weight: 5, arbitrary: reload(policy) },
    ...Object.entries(weights).map(([act, weight]) => ({
      weight,
      arbitrary: fc.record({ act: fc.constant(act as Act), pick: fc.nat(70_000) }),
    })),
  );

export interface History {
  policy: Policy;
  ports: keyof typeof PORTS;
  /** The first start comes to its end before anything goes wrong. */
  startsWell: boolean;
  moves: Move[];
}

const historyOf = (
  move: fc.Arbitrary<Move>,
  startsWell: fc.Arbitrary<boolean>,
  policy = policies,
): fc.Arbitrary<History> =>
  fc.record({
    policy,
    ports: fc.constantFrom('same', 'same', 'more', 'none'),
    startsWell,
    moves: fc.array(move, { maxLength: 70, size: 'max' }),
  });

const mostly = fc.nat(5).map((n) => n > 0);

/** Anything may happen. */
export const wildHistories = historyOf(movesOf({ ...USUAL, ...STOP, ...STRAY }), mostly);
/** No worker opens a port that its successors will not have: such a successor would never be ready. */
export const tidyHistories = historyOf(movesOf({ ...USUAL, ...STOP }), mostly);
/** Tidy, and nobody stops the app: the next good release can be brought in. */
export const calmHistories = historyOf(movesOf(USUAL), fc.constant(true));

/** On trial after each promotion, and soon found bad. */
const onTrial = policies.map((policy) => ({
  ...policy,
  canary: null,
  soakMs: 30_000,
  crashLoop: { count: 1 + (policy.crashLoop.count % 2), windowMs: 60_000 },
}));
/** Releases come in one after the other, and turn bad; and what is gone back to may not come up. */
export const troubledHistories = historyOf(
  movesOf({ ...USUAL, ...STOP, ...TROUBLE }, onTrial),
  fc.constant(true),
  onTrial,
);
