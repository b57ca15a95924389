/**
 * Who has more than its share of the open connections, and who gets the next one. Pure: the shell counts the connections and moves them.
 */
import type { Weights } from './routing.js';
import type { Routing } from './types.js';

/** What a worker has open. */
export interface Load {
  id: number;
  generation: number;
  connections: number;
  /** Of them, those that never change worker, as WebSockets do not. */
  fixed?: number;
}

/** A worker is left alone below this many times the mean, plus one: from 10 connections a worker up that is at most 1.2. */
const TOLERANCE = 1.1;
/** A generation is left alone where it is less than this off its share. */
const OFF_BY = 1;

interface Group {
  loads: Load[];
  connections: number;
  /** Its part of all connections, 0 to 1. */
  part: number;
  /** That part in connections. */
  exact: number;
  /** The same in whole connections; those of all groups make up the total. */
  target: number;
}

/**
 * How many each worker should have: by weight between generations, evenly within one. Exact: they add up to what is open. What cannot
 * be divided goes to those that have the most already, so that nothing moves for it.
 */
export function sharesOf(loads: readonly Load[], weights: Weights): Map<number, number> {
  const shares = new Map<number, number>();
  for (const { loads: its, target } of groupsOf(countedOf(loads, weights), weights)) {
    const each = Math.floor(target / its.length);
    const fullest = its.toSorted((a, b) => b.connections - a.connections || a.id - b.id);
    for (const [index, { id }] of fullest.entries()) shares.set(id, index < target % its.length ? each + 1 : each);
  }
  return shares;
}

/** Who is to be asked for how many now. Nobody where connections go by address, and in a rollout: the old ones are about to give all that they have. */
export function due(
  loads: readonly Load[],
  { sticky, weights }: Omit<Routing, 'mode'>,
): { id: number; count: number }[] {
  if (sticky || loads.length < 2) return [];
  const isMixed = loads.some(({ generation }) => generation !== loads[0]!.generation);
  return isMixed && Object.keys(weights).length === 0 ? [] : surpluses(loads, weights);
}

/**
 * Who should give how many away now; [] where all is even enough. Once it is given to those below their share, all have exactly
 * theirs where a generation was off, and nobody is far above it where none was: the same question is then answered with [].
 */
export function surpluses(loads: readonly Load[], weights: Weights): { id: number; count: number }[] {
  const groups = groupsOf(countedOf(loads, weights), weights);
  const shares = sharesOf(loads, weights);
  const isOff = groups.some(({ connections, exact }) => Math.abs(connections - exact) >= OFF_BY);
  return groups.flatMap((group) => {
    const limit = isOff ? 0 : (TOLERANCE * group.connections) / group.loads.length + 1;
    return group.loads.flatMap(({ id, connections }) => {
      const count = connections - shares.get(id)!;
      return count > 0 && connections >= limit ? [{ id, count }] : [];
    });
  });
}

/**
 * Who should get one connection more: of the generation that is furthest below its share, the worker with the fewest.
 * @param all workers that count, also those that may not get it
 * @param may who may get it; the shares are those of all
 */
export function neediest(
  all: readonly Load[],
  weights: Weights,
  may: (load: Load) => boolean = () => true,
): number | undefined {
  const loads = countedOf(all, weights);
  const total = sum(loads.map(({ connections }) => connections)) + 1;
  const lacks = ({ part, connections }: Group): number => part * total - connections;
  const able = ({ loads: its }: Group): Load[] => its.filter(may);
  const groups = groupsOf(loads, weights).filter((group) => able(group).length > 0);
  // One of weight 0 lacks nothing, and all together lack one.
  const [group] = groups.toSorted((a, b) => lacks(b) - lacks(a));
  return group && able(group).toSorted((a, b) => a.connections - b.connections || a.id - b.id)[0]?.id;
}

/**
 * Between weighted generations what cannot move is left out: with 90 WebSockets on the old one, a weight of 10 % would take all of 10 other connections,
 * or none. New ones come by weight, whatever they are.
 */
function countedOf(loads: readonly Load[], weights: Weights): readonly Load[] {
  if (Object.keys(weights).length === 0) return loads;
  return loads.map((load) => ({ ...load, connections: Math.max(0, load.connections - (load.fixed ?? 0)), fixed: 0 }));
}

/** One for each generation; a single one without weights, or where nobody has any. */
function groupsOf(loads: readonly Load[], weights: Weights): Group[] {
  const byGeneration = new Map<number, Load[]>();
  for (const load of loads) byGeneration.set(load.generation, [...(byGeneration.get(load.generation) ?? []), load]);
  const weightOf = (generation: number): number => weights[generation] ?? 0;
  const weightSum = sum([...byGeneration.keys()].map(weightOf));
  const total = sum(loads.map(({ connections }) => connections));
  if (weightSum === 0)
    return loads.length === 0 ? [] : [{ loads: [...loads], connections: total, part: 1, exact: total, target: total }];
  const groups = [...byGeneration].map(([generation, its]): Group => {
    const part = weightOf(generation) / weightSum;
    const exact = (total * weightOf(generation)) / weightSum; // In this order: whole numbers come out whole.
    return {
      loads: its,
      connections: sum(its.map(({ connections }) => connections)),
      part,
      exact,
      target: Math.floor(exact),
    };
  });
  // Largest remainder; of equal ones, the generation that has more.
  const byRemainder = groups.toSorted(
    (a, b) => b.exact - b.target - (a.exact - a.target) || b.connections - b.exact - (a.connections - a.exact),
  );
  const left = total - sum(groups.map(({ target }) => target));
  for (const group of byRemainder.slice(0, left)) group.target += 1;
  return groups;
}

const sum = (numbers: number[]): number => numbers.reduce((total, number) => total + number, 0);
