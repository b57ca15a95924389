/** Simulated traffic: requests that fail or take their time by chance, from a generator with a seed. */
import { beginJudging, judge, NOTHING, observe } from '../../../src/domain/verdict/judge.js';
import type { Observed, VerdictSettings, VerdictState } from '../../../src/domain/verdict/types.js';
import { DEFAULT_ANALYSIS } from '../../../src/shared/default-analysis.js';
import { bucketOf } from '../../../src/shared/latency-buckets.js';

export const SETTINGS: VerdictSettings = DEFAULT_ANALYSIS;

export type Chance = () => number;

/** Mulberry32: the same numbers for the same seed, on every Node. */
export function chanceOf(seed: number): Chance {
  let state = Math.imul(seed, 0x9e3779b1);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** One request: has it failed, and how long did it take, in ms? */
export interface Behaviour {
  failures: number;
  latencyMs?: (chance: Chance) => number;
}

export interface Simulated {
  state: VerdictState;
  verdict: string;
  reason: string;
  canaryRequests: number;
  stableRequests: number;
}

interface Options {
  seed: number;
  /** Percent. */
  weight: number;
  canary: Behaviour;
  stable: Behaviour;
  /** Ends the run. */
  until: { requests?: number; canaryRequests?: number };
  /** How many requests come between two looks. @default 1 */
  everyRequests?: number;
  settings?: VerdictSettings;
  /** Goes on from there. */
  from?: VerdictState;
}

const ANSWERED: Observed = { ...NOTHING, requests: 1 };
const FAILED: Observed = { ...NOTHING, requests: 1, failed: 1 };

/** Looked at as often as it says; ends with the first bad verdict. */
export function simulate(options: Options): Simulated {
  const { seed, weight, until, everyRequests = 1, settings = SETTINGS, from } = options;
  const chance = chanceOf(seed);
  const most = until.requests ?? Number.POSITIVE_INFINITY;
  let state = from ?? beginJudging();
  let [canaryRequests, stableRequests] = [0, 0];
  while (canaryRequests + stableRequests < most && canaryRequests < (until.canaryRequests ?? most)) {
    const look: Look = {};
    for (let request = 0; request < everyRequests; request++) {
      const isCanary = chance() * 100 < weight;
      if (isCanary) canaryRequests += 1;
      else stableRequests += 1;
      const side = isCanary ? 'canary' : 'stable';
      look[side] = plus(look[side], options[side], chance);
    }
    state = observe(state, { canary: look.canary ?? NOTHING, stable: look.stable ?? NOTHING }, settings);
    if (state.bad !== null) break;
  }
  const { verdict, reason } = judge(state, { canary: NOTHING, stable: NOTHING }, settings);
  return { state, verdict, reason, canaryRequests, stableRequests };
}

type Look = { canary?: Observed; stable?: Observed };

/** `sum` is this look's own: it grows in place. */
function plus(sum: Observed | undefined, { failures, latencyMs }: Behaviour, chance: Chance): Observed {
  const hasFailed = chance() < failures;
  if (!sum && !latencyMs) return hasFailed ? FAILED : ANSWERED;
  const grown = sum && sum !== ANSWERED && sum !== FAILED ? sum : { ...(sum ?? NOTHING), latency: [] };
  grown.requests += 1;
  if (hasFailed) grown.failed += 1;
  if (latencyMs) grown.latency.push(bucketOf(latencyMs(chance)), 1);
  return grown;
}

/** Most take about `medianMs`, some several times as long: ln of the time is normal. */
export const logNormal =
  (medianMs: number, spread: number) =>
  (chance: Chance): number =>
    medianMs * Math.exp(spread * Math.sqrt(-2 * Math.log(1 - chance())) * Math.cos(2 * Math.PI * chance()));

/** `share` of the requests, the slowest ones, take `factor` times as long. */
export const slowTail =
  (medianMs: number, spread: number, quantileAt: number, factor: number) =>
  (chance: Chance): number => {
    const ms = logNormal(medianMs, spread)(chance);
    return ms > medianMs * Math.exp(spread * quantileAt) ? ms * factor : ms;
  };
