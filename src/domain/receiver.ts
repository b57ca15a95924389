/**
 * Which worker a connection is offered to: by its client's address, by what each has open, or in turn. Pure: the shell knows who could take it, and
 * asks here for each connection that is accepted by the master or given away by a worker.
 */
import type { Load } from './balance.js';
import { neediest } from './balance.js';
import type { Receiver, SmoothState, Weights } from './routing.js';
import { pickByAddress, pickByWeight } from './routing.js';

/** A worker that connections move to. */
export interface Candidate extends Receiver, Load {
  /** Of its connections, those that it has still to take. */
  pending: number;
  /** It does not answer: chosen only where nobody does who could take it. */
  isStalled: boolean;
}

export interface Coming {
  /** A worker has given it away: it goes to whoever has the fewest open, not to whoever is next. */
  isGiven: boolean;
  /** Empty where connections do not go by it, or there is none. */
  address: string;
}

/**
 * @param able those that could take it
 * @param all the shares are those of all that stay
 * @param smooth what the next pick in turn goes by
 * @returns undefined where nobody could take it
 */
export function pickReceiver(
  able: readonly Candidate[],
  all: readonly Candidate[],
  coming: Coming,
  weights: Weights,
  smooth: SmoothState,
): { id: number; smooth: SmoothState } | undefined {
  const awake = able.filter(({ isStalled }) => !isStalled);
  const among = awake.length > 0 ? awake : able;
  if (among.length === 0) return undefined;
  if (coming.address !== '') return { id: pickByAddress(coming.address, among, weights), smooth };
  if (coming.isGiven) {
    const id = pickByNeed(among, all, weights);
    return id === undefined ? undefined : { id, smooth };
  }
  const { id, state } = pickByWeight(smooth, among, weights);
  return { id: leastPending(among, id, weights), smooth: state };
}

/** Without weights what moves in a rollout goes to the new generation alone, or it would move once more. */
function pickByNeed(among: readonly Candidate[], all: readonly Candidate[], weights: Weights): number | undefined {
  const newest = Math.max(...among.map(({ generation }) => generation));
  const ids = new Set(among.map(({ id }) => id));
  return neediest(all, weights, ({ id, generation }) => (isWeighted(weights) || generation === newest) && ids.has(id));
}

/** Of the picked one's kind, whoever has the fewest to take yet: a busy worker is not waited for while others are idle. */
function leastPending(among: readonly Candidate[], picked: number, weights: Weights): number {
  let best = among.find(({ id }) => id === picked)!;
  const { generation } = best;
  for (const one of among)
    if ((!isWeighted(weights) || one.generation === generation) && one.pending < best.pending) best = one;
  return best.id;
}

const isWeighted = (weights: Weights): boolean => Object.keys(weights).length > 0;
