/**
 * The verdict about a canary: is it worse than the stable generation, at the same time, on the same traffic? Three anytime-valid tests (failures, latency, event
 * loop) and the plain limits of the config. Latency is compared as stochastic order: of the canary no more requests may take longer than a
 * tolerated time than of the stable generation take longer than that time without the tolerance (quantiles as Howard and Ramdas, "Sequential estimation of
 * quantiles", Bernoulli 28, 2022; as a count of requests beyond a threshold that was fixed before them). Pure.
 *
 * False alarms: errors 1 in 500, latency 1 in 500, event loop 1 in 500 at most, over all looks of one canary.
 */
import { endOfBucket } from '../../shared/latency-buckets.js';
import type { Fortune } from './betting.js';
import { bet, FRESH_FORTUNE, fortuneOf, shareOut } from './betting.js';
import { add, beyond, EMPTY, merge, quantile, quantileBucket } from './histogram.js';
import { above, against, isTelling, upperBound } from './samples.js';
import type {
  Bets,
  Finding,
  Observation,
  Observed,
  Slow,
  Tally,
  Verdict,
  VerdictSettings,
  VerdictState,
} from './types.js';
import { QUANTILES } from './types.js';
import { wordsOfBad, wordsOfDoubt, wordsOfFew, wordsOfGood } from './words.js';

/** 1 in so many is the chance of a false alarm, of each of the three tests. */
const CONVICTS = 500;
/** From here on it is not called good. */
const IN_DOUBT = 10;
/** The share of failures is above what matters: asked for beside the test of the errors, not instead of it. */
const MATTERS = 10;
/** Most that one round (half a second) multiplies a fortune by, so that no single moment convicts: two for errors, six for slowness. */
const CAP = { errors: Math.sqrt(CONVICTS), slow: 4 };
/** The stable generation's figures of before the promotion hold, but for this risk. */
const RISK = 1 / CONVICTS;
/** In a soak the comparison is with another time of day: so many times the tolerance. */
const SOAK_TOLERANCE = 2;
/** Delays of the event loop that no release answers for: garbage collection, and neighbours on the host. */
const LOOP = { factor: 2, plusMs: 25 };
/** So many looks at event loops are kept for a round that does not end. */
const MOST_LOOKS = 1_000;

export const NOTHING: Observed = { requests: 0, failed: 0, latency: [], heldUpMs: [], crashes: 0 };
const NO_TALLY: Tally = { requests: 0, failed: 0, crashes: 0, latency: EMPTY, heldUpMs: 0 };

const NONE = { count: 0, hits: 0 };
const FRESH_BETS: Bets = {
  errors: FRESH_FORTUNE,
  mattering: FRESH_FORTUNE,
  latency: QUANTILES.map(() => FRESH_FORTUNE),
  slow: QUANTILES.map((at) => ({ quantile: at, stableMs: 0, canaryMs: 0, stable: NONE, canary: NONE })),
  loop: FRESH_FORTUNE,
};

/** Nothing observed yet. */
export const beginJudging = (): VerdictState => ({
  phase: 'canary',
  canary: NO_TALLY,
  stable: NO_TALLY,
  pending: null,
  bets: FRESH_BETS,
  bad: null,
});

/** The canary has been promoted: it is held against what the stable generation was. */
export const beginSoak = ({ stable }: VerdictState): VerdictState => ({ ...beginJudging(), phase: 'soak', stable });

/**
 * @param observation since the last one
 * @returns what is known from now on. `reason` is one line, with figures
 */
export function judge(
  state: VerdictState,
  observation: Observation,
  settings: VerdictSettings,
): { state: VerdictState; verdict: Verdict; reason: string } {
  const next = observe(state, observation, settings);
  return { state: next, ...verdictOf(next, settings) };
}

/** As {@link judge}, without words. */
export function observe(state: VerdictState, observation: Observation, settings: VerdictSettings): VerdictState {
  if (state.bad !== null) return state;
  const canary = addUp(state.canary, observation.canary);
  const stable = state.phase === 'soak' ? state.stable : addUp(state.stable, observation.stable);
  const pending = state.pending ? join(state.pending, observation) : observation;
  // When a round ends is not decided by what came of it.
  const isRound = pending.canary.requests > 0 && (state.phase === 'soak' || pending.stable.requests > 0);
  // Put together by name, not by a spread: this is what a simulation does a million times.
  const bets = isRound ? settle(state, pending, settings) : state.bets;
  const { phase } = state;
  const next: VerdictState = { phase, canary, stable, pending: isRound ? null : pending, bets, bad: null };
  const finding =
    beyondLimit(next, settings) ?? (isRound && canary.requests >= settings.minRequests ? found(next) : null);
  return finding === null ? next : { ...next, bad: wordsOfBad(next, finding, settings) };
}

export function verdictOf(state: VerdictState, settings: VerdictSettings): { verdict: Verdict; reason: string } {
  if (state.bad !== null) return { verdict: 'bad', reason: state.bad };
  const few = wordsOfFew(state, settings);
  if (few !== null) return { verdict: 'inconclusive', reason: few };
  const doubt = inDoubt(state);
  if (doubt !== null) return { verdict: 'inconclusive', reason: wordsOfDoubt(state, doubt) };
  return { verdict: 'good', reason: wordsOfGood(state) };
}

/** A hold may last for days, and bring the canary no request: of both generations then, what is older is let go of. */
function join(one: Observation, other: Observation): Observation {
  const isLong = one.canary.heldUpMs.length + one.stable.heldUpMs.length >= MOST_LOOKS;
  const before = (observed: Observed): Observed => (isLong ? { ...observed, heldUpMs: [] } : observed);
  return {
    canary: joined(before(one.canary), other.canary),
    stable: joined(before(one.stable), other.stable),
  };
}

const joined = (one: Observed, other: Observed): Observed => ({
  requests: one.requests + other.requests,
  failed: one.failed + other.failed,
  latency: merge(one.latency, other.latency),
  heldUpMs: other.heldUpMs.length === 0 ? one.heldUpMs : [...one.heldUpMs, ...other.heldUpMs],
  crashes: one.crashes + other.crashes,
});

function addUp(tally: Tally, observed: Observed): Tally {
  if (observed.requests === 0 && observed.crashes === 0 && observed.heldUpMs.length === 0) return tally;
  return {
    requests: tally.requests + observed.requests,
    failed: tally.failed + observed.failed,
    crashes: tally.crashes + observed.crashes,
    latency: add(tally.latency, observed.latency),
    heldUpMs: observed.heldUpMs.reduce((most, one) => Math.max(most, one), tally.heldUpMs),
  };
}

/** One round of all bets. */
function settle(state: VerdictState, round: Observation, settings: VerdictSettings): Bets {
  const { bets } = state;
  return {
    errors: settleErrors(state, round, settings),
    mattering: bet(bets.mattering, above(failuresOf(round.canary), settings.errorTolerance), CAP.errors),
    ...settleLatency(state, round, settings),
    loop: state.phase === 'canary' ? settleLoop(bets.loop, round) : bets.loop,
  };
}

const failuresOf = ({ requests, failed }: Observed | Tally): { count: number; hits: number } => ({
  count: requests,
  hits: failed,
});

function settleErrors(state: VerdictState, round: Observation, settings: VerdictSettings): Fortune {
  const canary = failuresOf(round.canary);
  if (state.phase === 'soak') {
    const share =
      upperBound(failuresOf(state.stable), RISK) * (1 + SOAK_TOLERANCE * settings.tolerance) + settings.errorTolerance;
    return share < 1 ? bet(state.bets.errors, above(canary, share), CAP.errors) : state.bets.errors;
  }
  const stable = failuresOf(round.stable);
  if (!isTelling(canary, stable)) return shareOut(state.bets.errors, canary.count);
  return bet(state.bets.errors, against(canary, stable, 1 + settings.tolerance), CAP.errors);
}

/** The thresholds come from what the stable generation did before this round, so none of its requests has a say in its own. */
function settleLatency(
  state: VerdictState,
  round: Observation,
  settings: VerdictSettings,
): Pick<Bets, 'latency' | 'slow'> {
  const { bets } = state;
  if (round.canary.latency.length === 0) return { latency: bets.latency, slow: bets.slow };
  const latency = [...bets.latency];
  const slow = [...bets.slow];
  for (const [index, at] of QUANTILES.entries()) {
    // Of fewer requests the quantile says little of where the next ones will be.
    if (state.stable.latency.count < 3 / (1 - at)) continue;
    const bucket = quantileBucket(state.stable.latency, at);
    const allowed = toleratedBucket(state, bucket, settings);
    const canary = beyond(round.canary.latency, allowed);
    const stable =
      state.phase === 'soak'
        ? { count: state.stable.latency.count, hits: tailOf(state.stable.latency.counts, bucket) }
        : beyond(round.stable.latency, bucket);
    latency[index] = settleSlow(state, latency[index]!, canary, stable);
    slow[index] = addSlow(slow[index]!, { bucket, allowed, canary, stable }, state.phase);
  }
  return { latency, slow };
}

function settleSlow(state: VerdictState, fortune: Fortune, canary: Slow['canary'], stable: Slow['stable']): Fortune {
  if (state.phase === 'soak') {
    const share = upperBound(stable, RISK / QUANTILES.length);
    return share < 1 ? bet(fortune, above(canary, share), CAP.slow) : fortune;
  }
  return isTelling(canary, stable)
    ? bet(fortune, against(canary, stable, 1), CAP.slow)
    : shareOut(fortune, canary.count);
}

const tailOf = (counts: readonly number[], bucket: number): number =>
  counts.reduce((sum, count, index) => (index > bucket ? sum + count : sum), 0);

/** Up to the end of this one a request of the canary is not slower than one that took the time of `bucket`. */
function toleratedBucket({ phase }: VerdictState, bucket: number, settings: VerdictSettings): number {
  const stableMs = endOfBucket(bucket);
  const factor = phase === 'soak' ? SOAK_TOLERANCE : 1;
  const mostMs = stableMs + factor * Math.max(stableMs * settings.tolerance, settings.latencyToleranceMs);
  let allowed = bucket;
  while (endOfBucket(allowed) < mostMs - 1e-9) allowed++;
  return allowed;
}

function addSlow(
  before: Slow,
  now: { bucket: number; allowed: number; canary: Slow['canary']; stable: Slow['stable'] },
  phase: VerdictState['phase'],
): Slow {
  const sum = (one: Slow['canary'], other: Slow['canary']): Slow['canary'] => ({
    count: one.count + other.count,
    hits: one.hits + other.hits,
  });
  return {
    quantile: before.quantile,
    stableMs: endOfBucket(now.bucket),
    canaryMs: endOfBucket(now.allowed),
    canary: sum(before.canary, now.canary),
    stable: phase === 'soak' ? now.stable : sum(before.stable, now.stable),
  };
}

/** Claim: each of the workers is as likely as the others to be the one whose event loop was held up longest. */
function settleLoop(fortune: Fortune, { canary, stable }: Observation): Fortune {
  const [ours, theirs] = [canary.heldUpMs.length, stable.heldUpMs.length];
  if (ours === 0 || theirs === 0) return fortune;
  const isWorst = Math.max(...canary.heldUpMs) > Math.max(...stable.heldUpMs) * LOOP.factor + LOOP.plusMs;
  return bet(fortune, above({ count: 1, hits: isWorst ? 1 : 0 }, ours / (ours + theirs)), CAP.slow);
}

function beyondLimit({ canary }: VerdictState, settings: VerdictSettings): Finding | null {
  const { minRequests, maxErrorRate, maxP99Ms, maxRestarts } = settings;
  if (maxRestarts !== null && canary.crashes > maxRestarts) return { by: 'maxRestarts' };
  if (canary.requests < minRequests) return null;
  if (maxErrorRate !== null && canary.failed > maxErrorRate * canary.requests) return { by: 'maxErrorRate' };
  if (maxP99Ms !== null && canary.latency.count >= minRequests && (quantile(canary.latency, 0.99) ?? 0) > maxP99Ms)
    return { by: 'maxP99' };
  return null;
}

function found({ bets: { errors, mattering, latency, slow, loop } }: VerdictState): Finding | null {
  const chance = fortuneOf(errors);
  if (chance >= CONVICTS && fortuneOf(mattering) >= MATTERS) return { by: 'errors', chance };
  for (const [index, fortune] of latency.entries()) {
    const odds = fortuneOf(fortune) / QUANTILES.length;
    if (odds >= CONVICTS) return { by: 'latency', chance: odds, slow: slow[index]! };
  }
  const held = fortuneOf(loop);
  return held >= CONVICTS ? { by: 'loop', chance: held } : null;
}

/** It may be worse, and more requests will tell. */
function inDoubt({ bets: { errors, mattering, latency, slow, loop } }: VerdictState): Finding | null {
  const chance = fortuneOf(errors);
  if (chance >= IN_DOUBT && fortuneOf(mattering) >= 1) return { by: 'errors', chance };
  for (const [index, fortune] of latency.entries()) {
    const odds = fortuneOf(fortune) / QUANTILES.length;
    if (odds >= IN_DOUBT) return { by: 'latency', chance: odds, slow: slow[index]! };
  }
  const held = fortuneOf(loop);
  return held >= IN_DOUBT ? { by: 'loop', chance: held } : null;
}
