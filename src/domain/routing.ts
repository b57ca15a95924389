/**
 * Which worker a new connection goes to, and whether the master has to be asked at all. Pure: the shell holds the sockets and
 * asks here for each connection that it accepts.
 */
import { weightsOf } from './canary.js';
import { allWorkers, isActive } from './fleet.js';
import type { Effect, Fleet, Routing } from './types.js';

/** A worker that may get a connection. */
export interface Receiver {
  id: number;
  generation: number;
  slot: number;
}

/** By generation, 0 to 100; {}: every worker is worth the same. */
export type Weights = Routing['weights'];

/** What the next pick goes by. */
export interface SmoothState {
  /** The weights that `credit` was gathered under. */
  weights: Weights;
  /** By generation: how far it is behind its share. */
  credit: Record<number, number>;
  /** By generation (`EVERYONE` without weights): the id of the last one that got a connection. */
  last: Record<number, number>;
}

export const FRESH: SmoothState = { weights: {}, credit: {}, last: {} };

/** Generations are counted from 1. */
const EVERYONE = 0;

const DIRECT: Routing = { mode: 'direct', sticky: false, weights: {} };

/** What follows from the fleet. `dispatch` only where it is needed: it costs the master a turn for each connection. */
export function routingOf(fleet: Fleet): Routing {
  const weights = weightsOf(fleet);
  const isWeighted = Object.keys(weights).length > 0;
  const active = allWorkers(fleet).filter(isActive).length;
  const inForce = fleet.serving ?? fleet.rollout?.to ?? null;
  const sticky = (inForce === null ? undefined : fleet.generations[inForce])?.policy.sticky ?? false;
  if (isWeighted) return { mode: 'dispatch', sticky: sticky || stickyCanary(fleet), weights };
  return sticky && active > 1 ? { mode: 'dispatch', sticky, weights } : DIRECT;
}

/** While it lasts, an address stays on its side of the split. */
const stickyCanary = ({ rollout, generations }: Fleet): boolean =>
  generations[rollout?.to ?? -1]?.policy.canary?.sticky ?? false;

/** Tells the shell where something has changed. */
export function settleRouting(fleet: Fleet, effects: Effect[]): void {
  const routing = routingOf(fleet);
  if (isSame(routing, fleet.routing)) return;
  const begins = routing.mode === 'dispatch' && fleet.routing.mode === 'direct';
  fleet.routing = routing;
  // A worker that is activated first would accept for itself until it hears better.
  const at = begins ? effects.findIndex(({ type }) => type === 'activate') : -1;
  effects.splice(at < 0 ? effects.length : at, 0, { type: 'route', routing });
}

const isSame = (one: Routing, other: Routing): boolean =>
  one.mode === other.mode && one.sticky === other.sticky && sameWeights(one.weights, other.weights);

function sameWeights(one: Weights, other: Weights): boolean {
  const keys = Object.keys(one);
  return keys.length === Object.keys(other).length && keys.every((key) => one[Number(key)] === other[Number(key)]);
}

/**
 * Smooth weighted round-robin between generations (as nginx's upstream does it: over 100 picks each gets exactly its weight,
 * spread evenly), in turn within one. Who has weight 0 gets none, unless nobody else is there: late is better than never.
 * @param receivers at least one
 */
export function pickByWeight(
  state: SmoothState,
  receivers: readonly Receiver[],
  weights: Weights,
): { id: number; state: SmoothState } {
  const present = generationsOf(receivers, weights);
  if (present.length === 0) {
    const id = inTurn(receivers, state.last[EVERYONE]);
    return { id, state: { ...state, last: { ...state.last, [EVERYONE]: id } } };
  }
  const before = sameWeights(state.weights, weights) ? state.credit : {};
  const credit: Record<number, number> = {};
  let chosen = present[0]!;
  let total = 0;
  for (const generation of present) {
    const weight = weights[generation]!;
    total += weight;
    credit[generation] = (before[generation] ?? 0) + weight;
    if (credit[generation] > credit[chosen]!) chosen = generation;
  }
  credit[chosen]! -= total;
  const id = inTurn(
    receivers.filter(({ generation }) => generation === chosen),
    state.last[chosen],
  );
  return { id, state: { weights, credit, last: { ...onlyOf(state.last, present), [chosen]: id } } };
}

/** Those that have both a weight above 0 and a receiver, the oldest first. */
function generationsOf(receivers: readonly Receiver[], weights: Weights): number[] {
  const present = new Set(receivers.map(({ generation }) => generation));
  return [...present].filter((generation) => (weights[generation] ?? 0) > 0).sort((a, b) => a - b);
}

const onlyOf = (last: SmoothState['last'], generations: number[]): SmoothState['last'] =>
  Object.fromEntries(generations.flatMap((number) => (last[number] === undefined ? [] : [[number, last[number]]])));

/** The next higher id, else the lowest. */
function inTurn(receivers: readonly Receiver[], last = 0): number {
  let next = Number.POSITIVE_INFINITY;
  let lowest = Number.POSITIVE_INFINITY;
  for (const { id } of receivers) {
    if (id > last && id < next) next = id;
    if (id < lowest) lowest = id;
  }
  return next === Number.POSITIVE_INFINITY ? lowest : next;
}

/**
 * The worker that this client's connections go to. Between weighted generations a share of the addresses, which only grows as
 * the weight does; within one, rendezvous hashing over the slots (Thaler and Ravishankar, 1998): one slot more or less moves only
 * the clients that it gains or had. Without weights a slot belongs to the newest worker in it, so that a reload moves no client.
 * @param address not empty: a unix socket has none, and is picked for by weight
 * @param receivers at least one
 */
export function pickByAddress(address: string, receivers: readonly Receiver[], weights: Weights): number {
  const hash = hashOf(address);
  const present = generationsOf(receivers, weights);
  const chosen = present.length === 0 ? null : shareOf(hash, present, weights);
  let best: Receiver | undefined;
  let bestScore = -1;
  for (const receiver of receivers) {
    if (chosen !== null && receiver.generation !== chosen) continue;
    const score = mixed(hash ^ mixed(receiver.slot + 1));
    if (score < bestScore || (score === bestScore && !isNewer(receiver, best!))) continue;
    best = receiver;
    bestScore = score;
  }
  return best!.id;
}

/** The newest generation has the addresses below its share: as it grows, it takes from the others and gives none back. */
function shareOf(hash: number, present: number[], weights: Weights): number {
  const total = present.reduce((sum, generation) => sum + weights[generation]!, 0);
  let left = (hash / 2 ** 32) * total;
  for (const generation of [...present].reverse()) {
    left -= weights[generation]!;
    if (left < 0) return generation;
  }
  return present[0]!;
}

/** Two slots of one score are told apart by number, two workers of one slot by age. */
const isNewer = (one: Receiver, other: Receiver): boolean =>
  one.slot === other.slot
    ? one.generation > other.generation || (one.generation === other.generation && one.id > other.id)
    : one.slot < other.slot;

/** FNV-1a, 32 bit. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return mixed(hash);
}

/** The finaliser of MurmurHash3: each bit of the input moves half of the output. */
function mixed(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
