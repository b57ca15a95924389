/** What became of every request. Zero means zero: a failed assertion prints the whole tally. */
export interface Tally {
  answered: number;
  /** Requests that got no whole, right answer, by cause. */
  lost: Record<string, number>;
  /** Connections ended by the server between requests, as it had announced. */
  closed: number;
  /** Who answered: response bodies, or their first line. */
  answeredBy: Map<string, number>;
  /** Longest wait for an answer, in ms. */
  longestMs: number;
}

export const emptyTally = (): Tally => ({ answered: 0, lost: {}, closed: 0, answeredBy: new Map(), longestMs: 0 });

export const lostCount = (tally: Tally): number => Object.values(tally.lost).reduce((sum, count) => sum + count, 0);

export function countLost(tally: Tally, cause: string, requests = 1): void {
  tally.lost[cause] = (tally.lost[cause] ?? 0) + requests;
}

export function countAnswered(tally: Tally, by: string, askedAt: number): void {
  tally.answered += 1;
  tally.answeredBy.set(by, (tally.answeredBy.get(by) ?? 0) + 1);
  tally.longestMs = Math.max(tally.longestMs, performance.now() - askedAt);
}

/** The answers' first words that match, such as versions or process ids. */
export const answerers = (tally: Tally): string[] => [...tally.answeredBy.keys()].sort();
