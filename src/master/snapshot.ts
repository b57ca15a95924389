/** Runs in the master. The fleet as the snapshot that everybody outside sees. */
import { stepOverAt } from '../domain/canary.js';
import { isCrashLooping } from '../domain/crash-loop.js';
import { liveIn, servingGeneration, slotOf } from '../domain/fleet.js';
import { recyclingPause, slotsDue } from '../domain/recycling.js';
import type { Fleet, Rollout, Slot, Soak, Worker } from '../domain/types.js';
import { bootsToWake } from '../domain/warm.js';
import { waysOutOfSoak } from '../domain/ways.js';
import type { AppSnapshot, AppState, RolloutSnapshot, SoakSnapshot, WorkerSnapshot } from '../shared/snapshot.js';
import { VERSION } from '../shared/version.cjs';
import type { Effects } from './effects.js';
import type { FiguresKeeper } from './figures/keeper.js';
import type { Listeners } from './listeners.js';
import type { Usage } from './usage.js';
import { usageOf } from './usage.js';
import type { Figures } from './worker-process.js';

/** A look at a large directory, or at /proc on a starved host, may hold up an answer by this long, in ms: half of the 200
 * in which one is to come. What comes later is in the next answer. */
const LOOK_MS = 100;

/** The clock that decides: its instants are shown in wall time. */
export interface Time {
  now(): number;
  wallOf(at: number): number;
}

export async function takeSnapshot(
  name: string,
  startedAt: number,
  state: () => Fleet,
  effects: Effects,
  listeners: Listeners,
  time: Time,
  looksAtRelease = true,
): Promise<AppSnapshot> {
  const { serving } = state();
  const looked = serving === null || !looksAtRelease ? Promise.resolve() : effects.checkRelease(serving);
  const workers = Object.values(state().workers);
  const { keeper } = effects.figures;
  const pids = workers.flatMap((worker) => (worker.pid === null ? [] : [worker.pid]));
  if (keeper) pids.push(process.pid);
  const [usage, figures, , goesBack] = await Promise.all([
    inTime(usageOf(pids), new Map<number, Usage>()),
    Promise.all(
      workers.map(async (worker) => [worker.id, (await effects.workers.get(worker.id)?.figures()) ?? null] as const),
    ),
    inTime(looked, undefined),
    state().soak ? inTime(goesBackFrom(state(), effects), true) : true,
  ]);
  if (keeper) await inTime(keeper.settled(), undefined);
  const fleet = state();
  const plan = fleet.serving === null ? undefined : effects.plans.get(fleet.serving);
  const known = new Map(figures);
  const measured = keeper && { figures: keeper.ofApp(usage.get(process.pid)) }; // First: it turns the page for all.
  return {
    name,
    state: stateOf(fleet),
    masterPid: process.pid,
    version: VERSION,
    startedAt: iso(startedAt),
    release: plan ? { ...plan.release, modified: fleet.generations[fleet.serving!]?.modified ?? false } : null,
    generation: fleet.serving,
    listeners: listeners.snapshot(),
    weights: shownWeights(fleet),
    rollout: fleet.rollout && { ...rolloutSnapshot(fleet.rollout, time), ...comingRelease(fleet.rollout, effects) },
    ...(fleet.soak ? { soak: soakOf(fleet.soak, goesBack, time) } : {}),
    ...(fleet.warm ? { parked: parked(fleet, fleet.warm, time) } : {}),
    ...recyclingOf(fleet),
    workers: [
      ...Object.values(fleet.workers).map((worker) => ({
        ...workerSnapshot(worker, fleet, time, known.get(worker.id) ?? null, usage.get(worker.pid ?? -1)),
        ...measuredOf(worker, keeper),
      })),
      ...waitingSlots(fleet, time),
    ].sort((a, b) => a.generation - b.generation || a.slot - b.slot),
    ...measured,
  };
}

function measuredOf({ id }: Worker, keeper: FiguresKeeper | null): Pick<WorkerSnapshot, 'figures'> {
  const figures = keeper?.ofWorker(id);
  return figures ? { figures } : {};
}

async function inTime<T>(look: Promise<T>, otherwise: T): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<T>((resolve) => {
    timer = setTimeout(() => resolve(otherwise), LOOK_MS);
  });
  return Promise.race([look, late]).finally(() => clearTimeout(timer));
}

/** Something of what its rollback would go to is there still. */
async function goesBackFrom(fleet: Fleet, { plans }: Effects): Promise<boolean> {
  for (const way of waysOutOfSoak(fleet)) {
    if (way.kind === 'wake' || way.target.kind === 'release') return true;
    if (await plans.isUnchanged(way.target.number)) return true;
  }
  return false;
}

const soakOf = ({ generation, until, isJudged }: Soak, goesBack: boolean, { wallOf }: Time): SoakSnapshot => ({
  generation,
  until: iso(wallOf(until)),
  judged: isJudged,
  goesBack,
});

/** Where it has a meaning: there are limits, or somebody is being replaced. */
function recyclingOf(fleet: Fleet): Pick<AppSnapshot, 'recycling'> {
  const limits = servingGeneration(fleet)?.policy.limits;
  const under = fleet.recycling?.step === 'replacing' ? fleet.recycling : null;
  const isLimited = limits && (limits.memory !== null || limits.ageMs !== null || limits.requests !== null);
  if (!isLimited && !under) return {};
  return {
    recycling: {
      paused: recyclingPause(fleet),
      slot: under?.slot ?? null,
      cause: under?.cause ?? null,
      due: slotsDue(fleet).filter((slot) => slot !== under?.slot),
    },
  };
}

const parked = (
  fleet: Fleet,
  { generation, until }: NonNullable<Fleet['warm']>,
  { wallOf }: Time,
): NonNullable<AppSnapshot['parked']> => ({
  generation,
  until: until === null ? null : iso(wallOf(until)),
  boots: bootsToWake(fleet),
});

function stateOf(fleet: Fleet): AppState {
  if (fleet.stop) return 'stopping';
  if (fleet.serving === null) return 'starting';
  return isCrashLooping(servingGeneration(fleet)) ? 'crash-looping' : 'running';
}

const iso = (at: number): string => new Date(at).toISOString();

/** Those in force; where none are set, every active worker takes an equal share of new connections. */
function shownWeights(fleet: Fleet): Record<string, number> {
  if (Object.keys(fleet.routing.weights).length > 0) return { ...fleet.routing.weights };
  const active = Object.values(fleet.workers).filter((worker) => worker.status.state === 'active');
  const weights: Record<string, number> = {};
  for (const { generation } of active) weights[generation] = (weights[generation] ?? 0) + 100 / active.length;
  for (const generation of Object.keys(weights)) weights[generation] = Math.round(weights[generation]! * 10) / 10;
  return weights;
}

function comingRelease({ to, outcome }: Rollout, { plans }: Effects): Pick<RolloutSnapshot, 'release'> {
  const plan = outcome === null && to !== null ? plans.get(to) : undefined;
  return plan ? { release: plan.release } : {};
}

export function rolloutSnapshot(rollout: Rollout, { wallOf }: Pick<Time, 'wallOf'>): RolloutSnapshot {
  const { id, kind, cause, from, to, step, startedAt, outcome, aborted, reason, weight } = rollout;
  return {
    id,
    kind,
    cause,
    from,
    to,
    step,
    startedAt: iso(wallOf(startedAt)),
    outcome,
    ...(aborted ? { aborted } : {}),
    reason,
    weight: step === 'canary' ? weight : null,
    ...(step === 'canary' ? canaryOf(rollout, wallOf) : {}),
  };
}

function canaryOf(rollout: Rollout, wallOf: Time['wallOf']): Pick<RolloutSnapshot, 'canary' | 'verdict'> {
  const { steps, stepIndex, verdict } = rollout;
  if (steps.length === 0) return { verdict };
  const overAt = stepOverAt(rollout);
  const until = overAt === null ? null : iso(wallOf(overAt));
  return { canary: { step: stepIndex + 1, steps: steps.length, until, verdict } };
}

function workerSnapshot(
  worker: Worker,
  fleet: Fleet,
  time: Time,
  figures: Figures | null,
  usage: Usage | undefined,
): WorkerSnapshot {
  return {
    slot: worker.slot,
    pid: worker.pid,
    generation: worker.generation,
    state: worker.status.state,
    ...(worker.status.state === 'draining'
      ? {
          drain: {
            webSockets: figures?.webSockets ?? null,
            leftMs: Math.max(0, worker.status.deadlineAt - time.now()),
          },
        }
      : {}),
    ...(worker.unresponsive ? { unresponsive: true as const } : {}),
    ...(worker.recycling ? { recycling: true as const } : {}),
    startedAt: iso(time.wallOf(worker.forkedAt)),
    ...countsOf(slotOf(fleet.generations[worker.generation]!, worker.slot)),
    connections: figures?.connections ?? null,
    inFlight: figures?.inFlight ?? null,
    requests: figures?.requests ?? null,
    cpuPercent: usage?.cpuPercent ?? null,
    rssBytes: usage?.rssBytes ?? null,
  };
}

const countsOf = ({ restarts, recycled }: Slot): Pick<WorkerSnapshot, 'restarts' | 'recycled'> => ({
  restarts,
  ...(recycled > 0 ? { recycled } : {}),
});

/** Slots that should have a worker, and wait out the pause after a crash. */
function waitingSlots(fleet: Fleet, { now, wallOf }: Time): WorkerSnapshot[] {
  return Object.values(fleet.generations).flatMap((generation) =>
    generation.slots.flatMap((slot) => {
      const { respawnAt, ...counted } = slotOf(generation, slot);
      if (respawnAt <= now() || liveIn(fleet, generation.number, slot)) return [];
      const nothing = { connections: null, inFlight: null, requests: null, cpuPercent: null, rssBytes: null };
      return [
        {
          ...{ slot, pid: null, generation: generation.number, state: 'waiting' as const, startedAt: null },
          ...{ respawnAt: iso(wallOf(respawnAt)), ...countsOf({ respawnAt, ...counted }) },
          ...nothing,
        },
      ];
    }),
  );
}
