/**
 * A test that may be looked at as often as anybody likes: a gambler bets against the claim "the canary is no worse". While the claim holds the bets are fair
 * or worse, so its fortune grows a thousandfold with a chance of 1 in 1,000 at most, over all looks there will ever be (Ville's inequality). That is what makes
 * it anytime-valid. Pure.
 *
 * Sources: Ramdas, Grünwald, Vovk, Shafer, "Game-theoretic statistics and safe anytime-valid inference", arXiv 2210.01948. The fortune is split between
 * bettors, each of whom believes in a difference of its own size; what they have is shared out anew all the time ("fixed share": Herbster and Warmuth, "Tracking
 * the best expert", Machine Learning 32, 1998), so that a canary that turns bad after an hour is found as soon as one that was bad from the start.
 */

/** What each bettor believes: by so much higher are the canary's odds than the claim allows. The first keeps its money. */
export const ODDS_RATIOS: readonly number[] = [1, 1.3, 1.7, 2.5, 4, 8, 16, 40, 120, 500];
const LOG_RATIOS = ODDS_RATIOS.map(Math.log);

/** What each starts with. */
const STAKES: readonly number[] = ODDS_RATIOS.map((_, index) => (index === 0 ? 0.28 : 0.08));

/** Of the whole fortune so much is shared out anew with each request of the canary. */
const SHARED_PER_REQUEST = 1 / 5_000;
/** Beyond it there is nothing to win. */
const MOST = 1e12;

/** By bettor. */
export type Fortune = readonly number[];

export const FRESH_FORTUNE: Fortune = STAKES;

/** The evidence: 1,000 says that whatever was claimed is false, or a chance of 1 in 1,000 has come true. */
export function fortuneOf(fortune: Fortune): number {
  let sum = 0;
  for (const one of fortune) sum += one;
  return sum;
}

/** The outcome of one block of requests, as far as a bettor is concerned. */
export interface Round {
  /** Requests of the canary that did what is counted. */
  hits: number;
  /** ln of what a bettor pays for its bet: of the generating function of `hits` under the claim, at its odds ratio. */
  logPrice(oddsRatio: number): number;
  /** Requests of the canary. */
  count: number;
}

/**
 * One round of bets: who believes in r gets r^hits for each coin, less the price.
 * @param cap no bettor gets more than so many times its stake: what comes in one moment, a garbage collection that ten requests waited for, may be one event.
 * Less than a fair prize keeps the bet honest.
 */
export function bet(fortune: Fortune, round: Round, cap: number): Fortune {
  const won = fortune.map((stake, index) => {
    if (index === 0) return stake;
    const prize = Math.exp(round.hits * LOG_RATIOS[index]! - round.logPrice(ODDS_RATIOS[index]!));
    return Math.min(stake * Math.min(prize, cap), MOST);
  });
  return shareOut(won, round.count);
}

/** Nothing was to be won; time has gone by all the same. */
export function shareOut(fortune: Fortune, count: number): Fortune {
  const kept = (1 - SHARED_PER_REQUEST) ** count;
  const shared = fortuneOf(fortune) * (1 - kept);
  return fortune.map((one, index) => one * kept + shared * STAKES[index]!);
}
