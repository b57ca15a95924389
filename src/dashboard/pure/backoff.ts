/** How long to wait before the next try to reach the master. Pure. */
const FIRST_MS = 500;
const LONGEST_MS = 10_000;
/** So that the pages of many do not come back at one time. */
const JITTER = 0.3;

/** @param failures so many tries have failed in a row, from 0 @param chance 0 to 1 */
export function nextTryMs(failures: number, chance: number): number {
  const whole = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(failures, 10));
  return Math.round(whole * (1 - JITTER * chance));
}
